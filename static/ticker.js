// A clock for picture in picture: a worker's timers run on while its page is hidden.
'use strict';

setInterval(() => postMessage(0), 500);
