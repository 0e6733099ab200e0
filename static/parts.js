// The parts of a stream: its bytes cut by Content-Length, and the rate at which frames come. Pure: knows
// neither the page nor the network.

const MAX_PART_BYTES = 32 << 20;     // no camera frame is larger: the stream is not what we think
const MAX_HEAD_BYTES = 16 << 10;
const RATE_WINDOW_MS = 5000;
const RATE_SETTLED_MS = 1900;        // of less, one late frame makes another number

const bytesOf = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const PLACEHOLDER = 'camfeed placeholder: ';      // begins the comment of a placeholder, behind SOI and the comment's head
const HEAD_END = bytesOf('\r\n\r\n');

/** Whether this JPEG is the server's placeholder and no picture of the camera. */
export function isPlaceholder(jpeg) {
  return String.fromCharCode.apply(null, jpeg.subarray(6, 6 + PLACEHOLDER.length)) === PLACEHOLDER;
}

/** Cuts multipart bytes into parts. One buffer for the life of a connection. */
export class PartReader {
  constructor(boundary) {
    this.delimiter = bytesOf(boundary.startsWith('--') ? boundary : '--' + boundary);
    this.buffer = new Uint8Array(256 << 10);
    this.start = this.end = 0;       // the bytes not yet used
    this.head = null;                // headers of the part whose body is at `start`
    this.junk = 0;                   // bytes passed over in search of a delimiter
  }

  push(chunk) {
    const held = this.end - this.start;
    if (this.end + chunk.length > this.buffer.length) {
      const need = held + chunk.length;
      const room = need > this.buffer.length ? new Uint8Array(need * 2) : this.buffer;
      room.set(this.buffer.subarray(this.start, this.end));
      Object.assign(this, { buffer: room, start: 0, end: held });
    }
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** The next complete part or null. Its `jpeg` is a view that the next push() overwrites. */
  next() {
    if (!this.head && !this.readHead()) return null;
    const stop = this.start + this.head.bytes;
    if (stop > this.end) return null;
    const part = Object.assign(this.head, { jpeg: this.buffer.subarray(this.start, stop) });
    Object.assign(this, { start: stop, head: null, junk: 0 });
    return part;
  }

  readHead() {
    const at = this.find(this.delimiter, this.start);
    const kept = at >= 0 ? at : Math.max(this.start, this.end - this.delimiter.length + 1);
    this.junk += kept - this.start;  // a CRLF when all is well
    this.start = kept;
    const stop = at < 0 ? -1 : this.find(HEAD_END, at);
    if (this.junk > MAX_PART_BYTES || (at >= 0 && stop < 0 && this.end - at > MAX_HEAD_BYTES)) throw new Error('The stream is damaged');
    if (stop < 0) return false;
    this.head = parseHead(String.fromCharCode.apply(null, this.buffer.subarray(at, Math.min(stop, at + MAX_HEAD_BYTES))));
    this.start = stop + HEAD_END.length;
    return true;
  }

  find(pattern, from) {
    const bytes = this.buffer;
    for (let i = bytes.indexOf(pattern[0], from); i >= 0 && i + pattern.length <= this.end; i = bytes.indexOf(pattern[0], i + 1)) {
      let n = 1;
      while (n < pattern.length && bytes[i + n] === pattern[n]) n += 1;
      if (n === pattern.length) return i;
    }
    return -1;
  }
}

function parseHead(text) {
  const value = (name) => (new RegExp('^' + name + ':[ \\t]*(\\S+)', 'im').exec(text) || [])[1];
  const bytes = Number(value('content-length'));
  if (!(bytes > 0 && bytes <= MAX_PART_BYTES)) throw new Error('The stream is damaged');
  return { bytes, sequence: value('x-sequence'), timestamp: Number(value('x-timestamp')) || 0, camera: value('x-camera') };
}

/** Frames over a sliding window. Their rate goes by capture times where the parts have them: the
    first frames of a connection arrive in a burst, and would look like more than the camera gives. */
export class Rate {
  constructor() { this.frames = []; }            // {time: arrival in ms, timestamp, sequence}
  add(time, { timestamp, sequence }) { this.frames.push({ time, timestamp, sequence: Number(sequence) }); this.trim(time); }
  clear() { this.frames.length = 0; }
  trim(time) { while (this.frames.length && time - this.frames[0].time > RATE_WINDOW_MS) this.frames.shift(); }

  /** Whether it has gone on for long enough to be compared: the first frames come in a burst. */
  isSettled(time) { return this.frames.length > 0 && time - this.frames[0].time > RATE_WINDOW_MS - 1000; }

  /** {gaps, arrived (ms), taken (ms), captured (ms)} from the first to the last frame; null while there are fewer than two. */
  get span() {
    const gaps = this.frames.length - 1;
    if (gaps < 1) return null;
    const [first, last] = [this.frames[0], this.frames[gaps]];
    const arrived = last.time - first.time;
    const taken = 1000 * (last.timestamp - first.timestamp);
    const isPlausible = first.timestamp && taken > arrived / 2 && taken < arrived * 2;    // else a clock has jumped
    return { gaps, arrived, taken: isPlausible ? taken : arrived, captured: taken > 0 ? taken : arrived };
  }

  /** 0 while it is too early to tell, and once the next frame is overdue. */
  perSecond(time) {
    this.trim(time);
    const span = this.span;
    if (!span || span.arrived < RATE_SETTLED_MS) return 0;
    const isOverdue = time - this.frames[span.gaps].time > 1000 + 2 * span.arrived / span.gaps;
    return isOverdue ? 0 : span.gaps * 1000 / span.taken;
  }

  /** The rate of all frames of the camera, those that were not sent here included: by capture times,
      as the first of them may have been on its way through a stall. */
  offeredPerSecond() {
    const span = this.span;
    return span ? (this.frames[span.gaps].sequence - this.frames[0].sequence) * 1000 / span.captured : 0;
  }
}
