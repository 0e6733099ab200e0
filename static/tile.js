// The tile of one camera: its newest picture, and what is to be said of it. Knows no other tile.

import { $, say } from './page.js';
import { Rate, isPlaceholder } from './parts.js';
import { ageOf, encodedShare, isFresh, known, now } from './server.js';
import { link } from './streams.js';
import { ageText, liveAge, pace, verdict, withoutNumbers } from './verdict.js';

const QUICK = { is: false, since: 0 };
const LEAST_AGE_S = 0.05;            // less is said in another word: the tag would jump

export class Tile {
  constructor(name) {
    const item = $('tile').content.firstElementChild.cloneNode(true);
    const one = (selector) => item.querySelector(selector);
    Object.assign(this, {
      name, item,
      canvas: one('canvas'), button: one('button'), why: one('.why'), title: one('strong'), text: one('.why span'),
      label: one('.label'), age: one('.age'),
      camera: {},                    // of the server's report
      clockShift: 0,                 // s by which this camera's clock is ahead of the report's
      encodedShare: 1,
      isInSight: false,
      isOpen: false,                 // a part has come, and the connection has not failed since
      sequence: null, rate: new Rate(), transit: 0, slow: QUICK,
      painted: null,
      seen: {},                      // the verdict
    });
    this.brush = this.canvas.getContext('2d', { alpha: false });
    item.id = 'tile-' + name;
    this.button.textContent = name;
    one('b').textContent = name;
  }

  /** The first nine have a key of their own. */
  number(at) {
    const digit = at < 9 ? String(at + 1) : '';
    this.button.title = 'Show this camera large' + (digit && ' (' + digit + ')');
    this.button.setAttribute('aria-keyshortcuts', digit);
  }

  report(own, report) {
    this.encodedShare = encodedShare(this.camera, own.camera);
    Object.assign(this, { camera: own.camera, clockShift: own.now - report.now });
  }

  /** Whether the part is a new picture: one that repeats the sequence before it is a keep-alive. */
  take(part, transit) {
    if (!this.isInSight) return false;
    Object.assign(this, { isOpen: true, transit });
    if (part.sequence !== undefined && part.sequence === this.sequence) return false;
    this.sequence = part.sequence;
    if (part.jpeg && isPlaceholder(part.jpeg)) this.rate.clear();
    else this.rate.add(now(), part);
    return true;
  }

  paint(image, part) {
    const { canvas } = this;
    const [width, height] = [image.naturalWidth || image.width, image.naturalHeight || image.height];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.brush.drawImage(image, 0, 0);
    this.painted = part;
    canvas.dataset.sequence = part.sequence;
  }

  /** Another connection has a rate of its own. */
  restart() {
    this.slow = QUICK;
    this.rate.clear();
  }

  /** What came before says nothing of what comes now: the connection has failed, or the tile is out of sight. */
  close() {
    Object.assign(this, { isOpen: false, sequence: null });
    this.restart();
  }

  /** The shape of its picture. */
  get aspect() {
    const { canvas, camera, painted } = this;
    if (painted && !painted.isPlaceholder) return canvas.width / canvas.height;
    return camera.width && camera.height ? camera.width / camera.height : 16 / 9;
  }

  /** Seconds since the picture on screen was captured; null while there is none. */
  get pictureAge() {
    return this.painted && ageOf(this.painted, this.clockShift);
  }

  refresh() {
    const received = this.rate.perSecond(now());
    const wanted = Math.min(this.rate.offeredPerSecond() * this.encodedShare, link.fps || Infinity);
    this.slow = pace(this.slow, received, wanted, now());
    const seen = this.judge();
    Object.assign(this.item.dataset, { state: seen.state, tone: seen.tone });
    const hasChanged = this.seen.state !== seen.state;
    const isRunning = ['live', 'slow', 'stale'].includes(seen.state);
    this.seen = seen;
    say(this.label, seen.label);
    say(this.age, isRunning && this.painted ? ageText(Math.max(LEAST_AGE_S, this.pictureAge)) : '');
    say(this.title, seen.title || '');
    say(this.text, seen.text || (seen.state === 'frozen' ? seen.mark : ''));
    this.why.hidden = this.title.hidden && this.text.hidden;
    const named = this.name + ': ' + this.words;
    if (this.button.textContent !== named) this.button.textContent = named;
    return hasChanged;
  }

  /** Its state and the reason, as they are spoken. */
  get words() {
    const { label, text, mark, state } = this.seen;
    return [withoutNumbers(label), state === 'frozen' ? mark : text].filter(Boolean).join('. ').replace(/ for \d.*/, '').replace(/\n/g, '. ');
  }

  judge() {
    const { camera, painted, seen } = this;
    const isGone = isFresh() && camera.state === 'offline';
    const isWaking = painted && painted.isPlaceholder && camera.state === 'online';   // its first picture is on the way
    return verdict(Object.assign(known(link), {
      before: seen.state,
      isAsleep: link.asleep || (!this.isInSight && !isGone),
      camera: isWaking ? Object.assign({}, camera, { state: 'opening', reason: '' }) : camera,
      phase: link.phase === 'full' ? 'full' : this.isOpen ? 'open' : link.phase === 'open' ? 'connecting' : link.phase,
      reads: true, slow: this.slow,
      hasPicture: Boolean(painted), age: this.pictureAge,
      liveAge: liveAge([link.fps, camera.fps], this.period / 1000, this.transit / 1000),
    }));
  }

  /** Ms between the frames that arrive. */
  get period() {
    const { span } = this.rate;
    return span ? span.arrived / span.gaps : this.transit;
  }
}
