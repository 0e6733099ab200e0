// The panels, one open at a time; and that of the addresses: commands for other programs with this server's
// address in them, and a place for the password where each program takes one.

import { $, say, toast } from './page.js';
import { BASE, TOKEN, address, server } from './server.js';

export const PANELS = ['view', 'controls', 'addresses'];
export const onShow = {};            // what is to be done when one opens, by its name
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
  if (onShow[name]) onShow[name]();
}

function focusOn(element) {
  document.activeElement.blur();
  element.focus({ preventScroll: true });        // nothing, when it is the body or gone
}

export const togglePanel = (name) => showPanel($(name).open ? '' : name);

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
