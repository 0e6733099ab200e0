// What the page says, from what it knows. Pure: values in, state and words out.

const LATE_S = [1, 3];               // age of the picture that turns the badge amber, red
const IN_TIME_S = 0.5;               // and below this it is live again
const WEAK_DBM = -75;                // a Wi-Fi signal below this loses frames
const SLOW_BELOW = [0.7, 0.85];      // share of the frames that arrive: slow below the first, until above the second
const SLOW_AFTER_MS = 4000;          // and only when that has lasted
const ROUND_RATES = [25, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2, 1, 0.5, 0.3, 0.2];
const PICTURES_ON_THE_WAY = 3;       // one is shown, one arrives and one waits in the network

// ---- words ----

export function span(seconds) {
  if (seconds < 120) return Math.floor(seconds) + ' s';
  return seconds < 7200 ? Math.floor(seconds / 60) + ' min' : Math.floor(seconds / 3600) + ' h';
}
const secondsText = (age) => age < 10 ? age.toFixed(1) + ' s' : span(age);
export const ageText = (age) => age < 0.05 ? 'now' : secondsText(age) + ' old';
export const rateText = (rate) => rate >= 9.5 ? String(Math.round(rate)) : String(Number(rate.toFixed(1)));

/** A label as it is spoken, and as it stands in the title: it must not change each second. */
export const withoutNumbers = (label) => label.replace(/:? -?\d.*/, '');

/** Our own or the server's words; not the browser's, such as "Failed to fetch". */
export const wordsOf = (error, otherwise = 'no answer from the server') => error.name === 'Error' ? error.message : otherwise;

export const TOO_MANY = 'Too many windows of this camera are open in this browser';

// ---- the verdict ----

/**
 * The state of it all, most telling cause first: {state, tone, label, title, text, mark}.
 *
 * Of `known`: `before` the state until now; `pausedFor` s or null; `isAsleep`; `camera` of the server's report,
 * `isFresh` whether that is recent, `reportAge` its age in s; `silence` s since anything came from the server;
 * `phase`, `failures`, `failure`, `reads` and `slow` of the link; `hasPicture` on the screen, and its `age` in s or
 * null; `liveAge` s up to which that is live; `isOnline` whether this device has a network.
 */
export function verdict(known) {
  const { before, pausedFor, isAsleep, camera, isFresh, reportAge, silence, phase, failures, failure, age } = known;
  const isCamera = (state) => isFresh && camera.state === state;
  if (pausedFor !== null) {
    const label = 'Paused ' + span(pausedFor);
    return { state: 'paused', tone: 'quiet', label, mark: label };
  }
  if (isAsleep) return { state: 'hidden', tone: 'quiet', label: 'Resting' };
  if (phase === 'full' || (phase !== 'open' && silence > 5 && known.isAnotherLive)) {
    return { state: 'full', tone: 'warn', label: 'Too many windows', title: TOO_MANY, text: 'Close one of them, and the picture comes here' };
  }
  if (isCamera('offline')) {
    const since = camera.since_s >= 0 ? ' ' + span(camera.since_s + reportAge) : '';
    const text = (camera.reason || 'It gives no reason') + '\nThe picture returns by itself';
    return { state: 'offline', tone: 'bad', label: 'Camera offline' + since, title: camera.gone ? 'The camera is gone' : 'No picture from the camera', text };
  }
  if (failure && failure.isRefusal) {
    const text = failure.message.replace(/^./, (letter) => letter.toUpperCase()) + '\nTrying again…';
    return { state: 'refused', tone: 'bad', label: 'No stream', title: 'No stream for now', text };
  }
  if (failures || (phase !== 'open' && silence > 2)) {
    return { state: 'reconnecting', tone: 'bad', label: 'Reconnecting…', title: 'Reconnecting…', text: outageText(known) };
  }
  if (isCamera('idle')) {
    return { state: 'idle', tone: 'quiet', label: 'Waking camera', title: 'Waking the camera…', text: 'It rests while nobody watches' };
  }
  if (phase !== 'open') {
    return { state: 'connecting', tone: 'quiet', label: 'Connecting…', title: known.hasPicture ? '' : 'Connecting…' };
  }
  if (camera.state === 'opening' || age === null) {
    return { state: 'opening', tone: 'quiet', label: 'Opening camera', title: 'Opening the camera…', text: camera.reason };
  }
  if (camera.frozen && isFresh) {
    return { state: 'frozen', tone: 'warn', label: 'Frozen', mark: 'The camera keeps sending the same picture' };
  }
  const late = age - known.liveAge;
  if (late > (before === 'stale' ? IN_TIME_S : LATE_S[0])) {
    const tone = late > LATE_S[1] ? 'bad' : 'warn';
    return { state: 'stale', tone, label: 'Not live', mark: 'This picture is ' + ageText(age) };
  }
  if (known.slow.is) return { state: 'slow', tone: 'warn', label: 'Slow connection' + known.slow.rates };
  if (camera.fallback) return { state: 'live', tone: 'warn', label: 'No camera' };    // the test pattern itself says the rest
  if (!known.reads) return { state: 'live', tone: 'quiet', label: 'Playing' };        // whether it is live cannot be told
  return { state: 'live', tone: 'good', label: 'Live' };
}

function outageText({ isOnline, silence, failure }) {
  if (!isOnline) return 'This device has no network';
  if (silence >= 2) return 'No answer from the server for ' + span(silence);
  return failure ? wordsOf(failure, 'The connection was lost') : 'The connection was lost';
}

/** Age in s up to which a picture is live: at one frame a second, one of a second is as live as it gets, and of as much
    more as it takes to arrive; where fewer frames arrive than were asked for, so is one that was on its way for as long
    as they take. `rates` in frames a second, of the viewer and of the camera, 0 or undefined when unknown; `period` in s
    between arrivals, `transit` of one. */
export function liveAge(rates, period, transit) {
  const known = rates.filter((fps) => fps > 0);
  const asked = known.length ? 1 / Math.min.apply(null, known) : 0;
  return asked + Math.min(asked, transit) + PICTURES_ON_THE_WAY * Math.max(0, period - asked);
}

/** Whether clearly fewer frames arrive than this viewer could have, for seconds on end: {is, since (ms), rates}. Both
    rates in frames a second; `received` is 0 while it is too early to tell, or silent: then it is as it was. */
export function pace(slow, received, wanted, time) {
  if (!received) return slow;
  const { is, since } = slow;
  const isSlow = received < SLOW_BELOW[Number(is)] * wanted;
  const isOther = isSlow !== is;
  const hasLasted = isOther && since > 0 && time - since > SLOW_AFTER_MS;
  const rates = isSlow ? ': ' + rateText(received) + ' of ' + rateText(wanted) + ' fps' : '';
  return { is: hasLasted ? isSlow : is, since: isOther && !hasLasted ? since || time : 0, rates };
}

/** The rate for a link over which `received` frames a second arrive: a round one, with room for the rest. */
export const fittingRate = (received) => ROUND_RATES.find((rate) => rate <= 0.75 * received) || ROUND_RATES[ROUND_RATES.length - 1];

/** What ails the server's machine, a line each; what it does not know is not said. */
export function complaints(health) {
  return [
    health.under_voltage && 'Under-voltage: use a better power supply',
    health.throttled && !health.under_voltage && 'Too hot: the processor is slowed down',   // too little power slows it down as well
    health.wifi_signal_dbm < WEAK_DBM && 'Weak Wi-Fi: ' + health.wifi_signal_dbm + ' dBm',
  ].filter(Boolean).join('\n');
}
