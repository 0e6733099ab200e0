// Begins the streams of the page of all, before the other modules have loaded; by the rules of begin.js.

import './parts.js';
import './server.js';
import './streams.js';
