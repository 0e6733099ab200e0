// The panels, one open at a time; that of the camera's controls, which are read when the camera comes, and a change
// is sent as it is made; and that of the addresses: commands for other programs with this server's address in them,
// and a place for the password where each program takes one.

import { $, say, toast } from './page.js';
import { BASE, TOKEN, address, ask, cameraNow, isCamera, refusal, server } from './server.js';
import { wordsOf } from './verdict.js';
import { view } from './view.js';

const CHANGE_MS = 100;               // between two changes
const HOLD_MS = [400, 80];           // a held button repeats: after, then every

export const PANELS = ['view', 'controls', 'addresses'];
let opener = document.body;          // had the focus when a panel was opened

/** Opens this one and closes the other; '' only closes. The focus goes to its heading, where Space still means
    pause and Tab comes to its first button; and from a panel that closes to where it was before. */
export function showPanel(name) {
  const before = PANELS.find((id) => $(id).open) || '';
  if (name === before) return;
  const wasInside = before && $(before).contains(document.activeElement);
  if (!before) opener = document.activeElement;
  PANELS.forEach((id) => {
    $(id).open = id === name;
    $('toggle-' + id).setAttribute('aria-expanded', String(id === name));
  });
  document.body.classList.toggle('with-panel', Boolean(name));
  if (name) $(name).querySelector('h2').focus({ preventScroll: true });
  else if (wasInside) focusOn(opener);
  scrollTo(0, 0);
  if (name) $(name).querySelector('h2').scrollIntoView({ block: 'nearest' });   // a tiny window has it below
  if (name === 'controls') readControls();
}

function focusOn(element) {
  document.activeElement.blur();
  element.focus({ preventScroll: true });        // nothing, when it is the body or gone
}

export const togglePanel = (name) => showPanel($(name).open ? '' : name);

// ---- the camera's controls ----

export const controls = {
  rows: new Map(),     // by name, in the camera's order
  shape: '',           // all but the values: rows are made anew only when it changes
  wanted: {},          // values not yet sent, by name
  isDue: false,        // to be read
  isBusy: false,
  areOff: false,       // the server does not let them be seen
};

function readControls() {
  controls.isDue = true;
  if (cameraNow().state === 'online') syncControls();    // otherwise when it is back
}

/** One request at a time, CHANGE_MS apart, each with the newest values: a slider cannot flood the server. */
async function syncControls() {
  if (controls.isBusy) return;
  controls.isBusy = true;
  for (;;) {
    const changes = Object.keys(controls.wanted).length ? controls.wanted : null;
    if (!changes && !controls.isDue) break;
    if (changes) controls.wanted = {}; else controls.isDue = false;
    try {
      takeControls(await askControls(changes));
    } catch (error) {
      controls.isDue = true;                 // after a refused change: where do they stand?
      if (!changes) break;                   // the next report of an online camera tries again
      toast('Not changed: ' + wordsOf(error));
    }
    await new Promise((resolve) => setTimeout(resolve, CHANGE_MS));
  }
  controls.isBusy = false;
}

async function askControls(changes) {
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(changes) };
  const response = await ask('controls', changes ? post : {});
  if (!changes) controls.areOff = response.status >= 400 && response.status < 500;
  if (response.ok) return (await response.json()).controls || [];
  if (controls.areOff && !changes) return [];
  throw await refusal(response);
}

function takeControls(all) {
  const known = all.filter(({ type }) => ['integer', 'decimal', 'boolean', 'menu'].includes(type));
  const shape = JSON.stringify(known.map(({ value, is_inactive, ...rest }) => rest));
  if (shape !== controls.shape) {
    controls.shape = shape;
    controls.rows = new Map(known.map((control) => [control.name, new ControlRow(control)]));
    $('control-rows').textContent = '';
    controls.rows.forEach((row) => $('control-rows').append(row.element));
  }
  known.forEach((control) => {
    const { name } = control;
    controls.rows.get(name).show(name in controls.wanted ? Object.assign(control, { value: controls.wanted[name] }) : control);
  });
  $('toggle-controls').hidden = $('key-controls').hidden = !known.length;
  if (!known.length && $('controls').open) showPanel('');
}

const isNumber = ({ type }) => type === 'integer' || type === 'decimal';

/** A control on the page. */
class ControlRow {
  constructor(control) {
    this.element = document.importNode($('control-row').content, true).firstElementChild;
    this.element.dataset.control = control.name;
    const type = isNumber(control) ? 'number' : control.type;
    this.all('[data-type]').forEach((part) => { if (part.dataset.type !== type) part.remove(); });
    this.control = control;
    this.input = this.one('input, select');
    this.input.id = 'control-' + control.name;
    this.one('label').htmlFor = this.input.id;
    this.one('label').textContent = control.title || control.name;
    this.touch = null;               // a finger on the slider: {before, inputs}
    this.input.addEventListener('input', () => this.onInput());
    this.one('.reset').title = 'Back to the default';
    this.one('.reset').setAttribute('aria-label', 'Reset ' + this.one('label').textContent);
    this.one('.reset').addEventListener('click', (event) => {
      this.set(control.default);
      if (!event.detail) this.input.focus({ preventScroll: true });    // the button goes away
    });
    if (control.type === 'menu') (control.menu || []).forEach(({ value, title }) => this.input.append(new Option(title, value)));
    if (isNumber(control)) this.makeSlider();
  }

  one(selector) { return this.element.querySelector(selector); }
  all(selector) { return this.element.querySelectorAll(selector); }

  makeSlider() {
    const { min, max, step } = this.control;
    Object.assign(this.input, { min, max, step: step || 1 });
    const speak = (politeness) => this.one('output').setAttribute('aria-live', politeness);   // a slider speaks by itself, a button does not
    const nudge = (steps) => { speak('polite'); this.input[steps < 0 ? 'stepDown' : 'stepUp'](); this.set(this.read()); };
    this.input.addEventListener('input', () => speak('off'));
    ['Less', 'More'].forEach((word) => this.one('.' + word.toLowerCase()).setAttribute('aria-label', word + ' ' + this.one('label').textContent));
    onHold(this.one('.less'), () => nudge(-1));
    onHold(this.one('.more'), () => nudge(1));
    const listen = (name, action) => this.input.addEventListener(name, action);
    listen('pointerdown', (event) => { this.touch = event.pointerType === 'touch' ? { before: this.control.value, inputs: 0 } : null; });
    listen('pointerup', () => this.endTouch(true));
    listen('pointercancel', () => this.endTouch(false));
  }

  /** A finger that only scrolls past has already moved the thumb to itself: its first value waits for what it does next. */
  onInput() {
    const value = this.read();
    if (this.touch && (this.touch.inputs += 1) === 1) this.show(Object.assign({}, this.control, { value }));
    else this.set(value);
  }

  endTouch(isMeant) {
    const { before, inputs } = this.touch || { inputs: 0 };
    this.touch = null;
    if (inputs === 1 && isMeant) this.set(this.read());
    if (inputs === 1 && !isMeant) this.show(Object.assign({}, this.control, { value: before }));
    if (inputs > 1 && !isMeant) this.set(before);
  }

  read() {
    if (this.control.type !== 'boolean') return Number(this.input.value);
    return typeof this.control.value === 'boolean' ? this.input.checked : Number(this.input.checked);
  }

  set(value) {
    controls.wanted[this.control.name] = value;
    this.show(Object.assign(this.control, { value }));
    Promise.resolve().then(syncControls);    // once for all that are set together
  }

  get isChanged() { return this.control.default !== undefined && Number(this.control.value) !== Number(this.control.default); }

  show(control) {
    this.control = control;
    if (control.type === 'boolean') this.input.checked = Boolean(control.value);
    else this.input.value = control.value;
    const isInactive = Boolean(control.is_inactive);
    this.element.classList.toggle('inactive', isInactive);
    this.element.title = isInactive ? 'Another control decides this now' : '';
    this.all('input, select, button').forEach((part) => { part.disabled = isInactive; });
    this.one('.reset').hidden = isInactive || !this.isChanged;
    if (isNumber(control)) this.showSlider(control);
  }

  showSlider({ min, max, value }) {
    const at = (number) => 100 * (number - min) / (max - min || 1) + '%';
    const line = (selector, x1, x2) => { this.one(selector).setAttribute('x1', at(x1)); this.one(selector).setAttribute('x2', at(x2)); };
    const origin = this.control.default === undefined ? min : this.control.default;
    this.one('output').value = value;
    line('.default', origin, origin);
    line('.change', origin, value);
    if (value <= min) this.one('.less').disabled = true;
    if (value >= max) this.one('.more').disabled = true;
  }
}

/** Once at a click, and again and again while it is held. */
export function onHold(button, action) {
  let timer = 0;
  let wasHeld = false;
  const stop = () => clearTimeout(timer);
  const again = () => {
    if (button.matches(':disabled') || !button.isConnected) return;   // it would not hear of the release
    wasHeld = true;
    action();
    timer = setTimeout(again, HOLD_MS[1]);
  };
  button.addEventListener('pointerdown', () => { stop(); wasHeld = false; timer = setTimeout(again, HOLD_MS[0]); });
  ['pointerup', 'pointerleave', 'pointercancel'].forEach((end) => button.addEventListener(end, stop));
  button.addEventListener('click', (event) => { if (!wasHeld || !event.detail) action(); });   // a key has no detail
}

export function resetControls() {
  controls.rows.forEach((row) => { if (row.isChanged && !row.control.is_inactive) row.set(row.control.default); });
}

/** Why there is no panel of them. */
export function whyNoControls() {
  if (controls.areOff) return 'Camera controls are switched off here';
  return isCamera('online') && !cameraNow().fallback ? 'This camera has no controls' : 'No camera now, and so no controls';
}

function sayControls({ state }) {
  const isAway = cameraNow().state !== 'online' || state === 'reconnecting';
  $('controls-box').disabled = isAway;
  say('controls-note', isAway ? 'No camera now: its controls return with it.' : '');
  $('reset-controls').hidden = !Array.from(controls.rows.values()).some((row) => row.isChanged && !row.control.is_inactive);
}

/** The camera of `after`, which is online, was not in `before`, or went and came back between the two. */
function isAnotherStart(before, after) {
  const was = before.camera || {};
  const is = after.camera;
  const started = (report) => report.uptime_s - report.camera.since_s;
  return was.state !== 'online' || is.source !== was.source || is.since_s < was.since_s || Math.abs(started(after) - started(before)) > 0.1;
}

server.onReport.push(({ before, report }) => {
  if (isCamera('online') && (isAnotherStart(before, report) || controls.isDue)) readControls();
});
view.onRefresh.push(sayControls);

// ---- the addresses ----

/** Where these take a password; other programs take it in the address. */
const LOGIN = { wget: '--user=USER --password=PASSWORD', curl: '-u USER:PASSWORD' };

const addresses = { rows: [], said: '' };

function setUpAddresses() {
  document.querySelectorAll('#addresses dd').forEach((row) => {
    const code = row.querySelector('code');
    addresses.rows.push({ code, command: code.textContent, way: row.parentElement.dataset.password });
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', 'Copy: ' + row.previousElementSibling.textContent);
    button.addEventListener('click', () => copy(code, button));
    row.append(button);
  });
  fillAddresses({});
}

/** Writes the commands, again when the server begins or ceases to ask for a password. Opened on the server's own
    machine, the page names the address at which others reach it. */
function fillAddresses({ password, addresses: reached = [] }) {
  const hasPassword = password === true && !TOKEN; // the token is enough
  const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  const base = isLocal && reached.length && location.pathname === '/' ? 'http://' + reached[0] + '/' : BASE;
  const said = base + hasPassword;
  if (said === addresses.said) return;
  addresses.said = said;
  addresses.rows.forEach(({ code, command, way }) => writeWords(code, fill(command, base, hasPassword ? way || 'inside' : '')));
  document.querySelectorAll('[data-when="password"]').forEach((note) => { note.hidden = !hasPassword; });
  say('local-only', isLocal && !reached.length ? '`' + location.hostname + '` means this machine only. On another one, put this machine’s name or address in its place.' : '');
}

/** `command` with the server's address, which begins with `base`, and `way` the password goes: inside, apart, as a token,
    or '' for none. */
function fill(command, base, way) {
  const program = command.split(' ', 1)[0];
  const login = way === 'inside' ? LOGIN[program] : '';
  const text = login ? command.replace(program, program + ' ' + login) : command;
  return text.replace(/([^]?)http:\/\/HOST\/([^\s"]*)/g, (all, before, path) => {
    const isQuoted = TOKEN && before === ' ';      // for a shell, a & or ? is not a letter
    return isQuoted ? ' "' + address(path, base) + '"' : before + addressWith(path, base, login ? '' : way);
  });
}

function addressWith(path, base, way) {
  if (way === 'inside') return address(path, base).replace('://', '://USER:PASSWORD@');
  return address(path, base) + (way === 'token' ? (path.includes('?') ? '&' : '?') + 'token=TOKEN' : '');
}

/** A line may break between words, and nowhere in an address. */
function writeWords(code, text) {
  code.textContent = '';
  text.split(/(\s+)/).forEach((word, i) => {
    const node = i % 2 ? new Text() : document.createElement('span');
    node.textContent = word;
    code.append(node);
  });
}

async function copy(code, button) {
  let isDone = false;
  try { await navigator.clipboard.writeText(code.textContent); isDone = true; } catch (error) {
    getSelection().selectAllChildren(code);      // plain http has no clipboard API
    try { isDone = document.execCommand('copy'); } catch (refused) { /* the text stays selected */ }
  }
  if (!isDone) return toast('Selected: press Ctrl+C to copy');
  button.textContent = 'Copied';
  button.classList.add('done');
  setTimeout(() => { button.textContent = 'Copy'; button.classList.remove('done'); }, 1500);
}

setUpAddresses();
server.onReport.push(({ report }) => fillAddresses(report.access || {}));
