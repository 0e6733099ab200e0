// What the page says, written where it changed, and spoken.

import { $, say, sayAll, toast } from './page.js';
import { link, painter, pictureAge, wantedRate, watchClock, watchSilence } from './player.js';
import { cameraNow, known, now, pollState, server } from './server.js';
import { ageText, liveAge, pace, rateText, verdict, withoutNumbers } from './verdict.js';

const POLL_MS = { live: 2000, slow: 2000, paused: 10000, idle: 400, opening: 400 };   // by state; else a second

const pageTitle = document.title;
export const view = { onRefresh: [] };             // called with the verdict
let saidPlaying = false;

function judge() {
  return verdict(Object.assign(known(link), {
    before: document.body.dataset.state,
    pausedFor: link.pausedAt ? (now() - link.pausedAt) / 1000 : null,
    isAsleep: link.asleep, camera: cameraNow(),
    phase: link.phase, reads: link.reads, slow: link.slow,
    hasPicture: Boolean(painter.painted), age: pictureAge(),
    liveAge: liveAge([link.fps, cameraNow().fps], link.period / 1000, link.transit / 1000),
  }));
}

/** Several times a second, to see what nobody tells. */
export function tick() {
  watchClock();
  watchSilence();
  refresh();
}

export function refresh() {
  link.slow = pace(link.slow, link.rate.perSecond(now()), wantedRate(), now());
  const seen = judge();
  const hasChanged = document.body.dataset.state !== seen.state;
  Object.assign(document.body.dataset, { state: seen.state, tone: seen.tone });
  say('label', seen.label);
  say('mark', seen.mark || '');
  say('notice-title', seen.title || '');
  say('notice-text', seen.text || '');
  $('notice').hidden = !seen.title && !seen.text;
  sayFacts(seen.state);
  sayCamera(seen.state);
  sayPause();
  if (!link.reads && !saidPlaying) {
    saidPlaying = true;
    toast('This browser plays the stream itself: the page cannot tell how old the picture is, or whether it moves');
  }
  sayAll([withoutNumbers(seen.label), (seen.text || '').replace(/ for \d.*/, '')], seen.state);
  view.onRefresh.forEach((listener) => listener(seen));
  server.pollMs = POLL_MS[seen.state] || 1000;
  if (hasChanged) pollState();       // the server may know why
}

function sayFacts(state) {
  const isRunning = ['live', 'slow', 'stale', 'frozen'].includes(state);
  const received = link.rate.perSecond(now());
  const shown = painter.rate.perSecond(now());
  const age = pictureAge();
  const viewers = Math.max(1, (server.report.stream || {}).viewers);   // we are one, whatever the last poll said
  const isBehind = link.rate.isSettled(now()) && shown < 0.8 * received && received - shown > 1;
  say('fps', isRunning && state !== 'slow' && received ? (isBehind ? rateText(shown) + ' of ' : '') + rateText(received) + ' fps' : '');
  say('age', isRunning && state !== 'frozen' && age !== null ? (link.reads ? ageText(age) : 'age unknown') : '');
  say('viewers', isRunning && viewers ? viewers + (viewers === 1 ? ' viewer' : ' viewers') : '');
  if (painter.painted) $('picture').dataset.sequence = painter.painted.sequence;
}

function sayCamera(state) {
  const { name, version } = server.report;
  const camera = cameraNow();
  const size = camera.width && camera.height ? camera.width + '×' + camera.height + ' ' : '';
  say('name', name || '');
  say('about', [camera.source, size + (camera.format || ''), version && 'camfeed ' + version].filter((text) => text && text.trim()).join(' · '));
  const title = (state === 'live' && !camera.fallback ? '' : withoutNumbers($('label').textContent) + ' – ') + (name || pageTitle);
  if (document.title !== title) document.title = title;
}

function sayPause() {
  const word = link.pausedAt ? 'Resume' : 'Pause';
  if ($('pause-text').textContent === word) return;
  $('pause').setAttribute('aria-label', word);
  $('pause').title = word + ' (Space)';
  $('pause-text').textContent = word;
}
