// Judges the viewer page with axe-core, in Chromium, at a real camfeed that has a fake camera, and the page of several
// cameras: in each state of STATES and of STATES_OF_ALL, dark and light. Prints a line for each; ends with 1 when there is a violation. `make check-page`
// builds what it takes and says where: check.mjs CAMFEED FAKECAM FRAMES AXE.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Chromium } from './chromium.mjs';

const [camfeed, fakecam, frames, axe] = process.argv.slice(2);
const THEMES = ['dark', 'light'];
const MOST_ELEMENTS = 5;             // told of a violation
const click = (id) => `document.getElementById('${id}').click()`;
const isState = (state) => `document.body !== null && document.body.dataset.state === '${state}'`;

// Each follows from the one before. `then` is true once the page is there.
const STATES = [
  { name: 'live', then: isState('live') + " && !document.getElementById('toggle-controls').hidden" },
  { name: 'controls', act: click('toggle-controls'), then: "document.querySelectorAll('.slider').length > 3" },
  { name: 'view', act: click('toggle-view'), then: "document.getElementById('view').open" },
  { name: 'addresses', act: click('toggle-addresses'), then: "document.getElementById('addresses').open" },
  { name: 'paused', act: click('close-addresses') + ';' + click('pause'), then: isState('paused') },
  { name: 'offline', act: click('pause'), camera: 'plugged no', then: isState('offline') },
];

const isTile = (name, state) => `document.getElementById('tile-${name}').dataset.state === '${state}'`;
const STATES_OF_ALL = [
  { name: 'all live', camera: '', then: isState('live') + ' && ' + isTile('usb', 'live') },
  { name: 'one of all offline', camera: 'plugged no', then: isTile('usb', 'offline') },
  { name: 'one large', act: "document.querySelector('#tile-usb button').click()", then: isState('offline') },
];

const ONE = ['--source', '/dev/video0', '--size', '640x480'];
const ALL = ['--camera', 'usb=/dev/video0', '--camera', 'a=test:640x360@10', '--camera', 'b=test:640x360@10'];

const folder = mkdtempSync(join(tmpdir(), 'check-page-'));
process.once('exit', () => {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  } catch (error) { /* a browser that was ended in the middle still writes there */ }
});
['SIGINT', 'SIGTERM'].forEach((signal) => process.once(signal, () => process.exit(2)));
process.stdout.once('error', () => process.exit(2));     // nobody reads on

const setCamera = (text) => {
  writeFileSync(join(folder, 'control.new'), text);
  renameSync(join(folder, 'control.new'), join(folder, 'control'));
};

/** Starts camfeed, which does not outlive this process: {url, stop}. */
function serve(cameras) {
  const environment = {
    LD_PRELOAD: fakecam, FAKECAM_CONTROL: join(folder, 'control'), FAKECAM_ROOT: join(folder, 'root'), FAKECAM_FRAMES: frames,
  };
  setCamera('');
  const server = spawn(camfeed, [...cameras, '--listen', '127.0.0.1:0'], { env: { ...process.env, ...environment }, stdio: ['ignore', 'inherit', 'pipe'] });
  process.once('exit', () => server.kill());
  server.on('error', () => {});                        // without a start it says nothing either
  const lines = createInterface({ input: server.stderr });
  const log = [];
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (found) resolve({ url: found[0] + '/', stop: () => server.kill() });
      log.push(line);
    });
    lines.on('close', () => reject(new Error(['camfeed does not serve:', ...log].join('\n'))));
  });
}

async function judge(browser, theme) {
  await browser.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: theme }] });
  // A colour that is still fading into another is neither.
  await browser.eval('Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})))');
  return browser.eval("axe.run(document, { resultTypes: ['violations'] })");
}

/** A violation, with the first few elements that have it. */
function describe({ id, impact, help, nodes }) {
  const places = nodes.slice(0, MOST_ELEMENTS).map(({ target, html, failureSummary }) =>
    `    ${target.flat().join(' ')}  ${html.replace(/\s+/g, ' ').slice(0, 160)}\n      ${failureSummary.replace(/\s*\n\s*/g, ' ')}`);
  if (nodes.length > places.length) places.push(`    and ${nodes.length - places.length} more`);
  return [`  ${id} (${impact}): ${help}`, ...places].join('\n');
}

let violations = 0;
try {
  const browser = await Chromium.start(join(folder, 'profile'));
  for (const [cameras, states] of [[ONE, STATES], [ALL, STATES_OF_ALL]]) {
    const { url, stop } = await serve(cameras);
    await browser.call('Page.navigate', { url });
    for (const { name, act, camera, then } of states) {
      if (camera !== undefined) setCamera(camera);
      if (act) await browser.eval(act);
      await browser.wait(then);
      if (name === states[0].name) await browser.eval(readFileSync(axe, 'utf8') + '; true');
      for (const theme of THEMES) {
        const found = await judge(browser, theme);
        violations += found.violations.length;
        console.log(`${name}, ${theme}: ` + (found.violations.length ? `${found.violations.length} violations` : `${found.passes.length} rules hold`));
        found.violations.forEach((violation) => console.log(describe(violation)));
      }
    }
    stop();
  }
  await browser.close();
  process.exit(violations ? 1 : 0);
} catch (error) {
  console.error('check-page: ' + error.message);
  process.exit(2);
}
