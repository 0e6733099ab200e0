// The viewer page: its newest picture, how old that is, and what can be done with it. Here the modules are put
// together; player.js has begun before. Imports go one way:
// parts <- player <- view <- panels <- controls <- keys <- main; all know server, and verdict (pure) has the words.
// Written in ES2018 on purpose: old tablets are good wall displays.

import './keys.js';
import { connect, link, rest, setAsleep } from './player.js';
import { isSeen, pollState, server } from './server.js';
import { refresh, tick } from './view.js';

const HIDDEN_MS = 10000;             // a hidden tab stops its stream after this
const TICK_MS = 250;

function onVisibility() {
  clearTimeout(onVisibility.timer);
  if (isSeen()) wakeUp();
  else onVisibility.timer = setTimeout(() => setAsleep(true), HIDDEN_MS);
}

function wakeUp() {
  setAsleep(false);
  pollState();
}

document.documentElement.classList.add('js');
link.onChange = server.onAnswer = refresh;
document.addEventListener('visibilitychange', onVisibility);
window.addEventListener('online', () => { if (link.phase === 'waiting') connect(); });
window.addEventListener('pagehide', rest);
window.addEventListener('pageshow', (event) => { if (event.persisted) onVisibility(); });
setInterval(tick, TICK_MS);
refresh();
pollState();
