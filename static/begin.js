// Begins the player, before the other modules have loaded. No module imports a script of the page: with a user in the
// page's address, Chromium and WebKit take the two for different modules, and run both.
// All that the player needs is named here: a browser without modulepreload asks for it at once.

import './parts.js';
import './server.js';
import './player.js';
