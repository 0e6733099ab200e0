// A headless Chromium with one tab, told what to do over its debugging pipe (Chrome DevTools Protocol):
// what is evaluated that way runs in the page whatever its Content-Security-Policy says.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 30000;           // for an answer, and for a state of the page

export class Chromium {
  /** Starts it with its profile in a new folder; it never outlives this process. */
  static async start(profile) {
    const browser = new Chromium();
    browser.process = spawn('chromium', [
      '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--remote-debugging-pipe',
      '--user-data-dir=' + profile,
    ], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    Object.assign(browser, { waiting: new Map(), next: 0, held: '', session: undefined });
    process.once('exit', () => browser.process.kill());
    browser.process.once('exit', () => browser.fail(new Error('chromium has ended')));
    browser.process.once('error', (error) => browser.fail(new Error('cannot start chromium: ' + error.message)));
    browser.process.stdio[4].setEncoding('utf8').on('data', (text) => browser.take(text));
    browser.process.stdio[3].on('error', () => {});      // its end is told by 'exit'
    const { targetId } = await browser.call('Target.createTarget', { url: 'about:blank' });
    browser.session = (await browser.call('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    return browser;
  }

  take(text) {
    const messages = (this.held + text).split('\0');
    this.held = messages.pop();
    for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
      const call = this.waiting.get(id);               // an event has no id
      this.waiting.delete(id);
      if (call && error) call.reject(new Error(call.method + ': ' + error.message));
      else if (call) call.resolve(result);
    }
  }

  fail(error) {
    this.error = error;
    this.waiting.forEach(({ reject }) => reject(error));
    this.waiting.clear();
  }

  call(method, params = {}) {
    return new Promise((resolve, reject) => {
      if (this.error) return reject(this.error);
      const id = this.next += 1;
      const timer = setTimeout(() => reject(new Error(method + ': no answer')), PATIENCE_MS);
      const settle = (how) => (value) => { clearTimeout(timer); how(value); };
      this.waiting.set(id, { method, resolve: settle(resolve), reject: settle(reject) });
      this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId: this.session }) + '\0');
    });
  }

  /** The value of a JavaScript expression in the page, awaited when it is a promise. */
  async eval(expression) {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error((exceptionDetails.exception || {}).description || exceptionDetails.text);
    return result.value;
  }

  /** Waits until `expression` is true. */
  async wait(expression) {
    for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(50)) {
      if (await this.eval(expression) === true) return;
    }
    throw new Error('the page never had: ' + expression);
  }

  /** Ends it in good order: its profile is no longer written to. */
  async close() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.session = undefined;
    this.call('Browser.close').catch(() => {});          // it may end before it answers
    await ended;
  }
}
