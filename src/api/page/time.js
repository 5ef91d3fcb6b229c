// Writes times as the daemon tells them, and how long ago they are by its clock.

let ahead = 0;

/** Learns how far the daemon's clock is from that of this machine. */
export function learn_clock(written) {
  const theirs = Date.parse(written);
  if (Number.isFinite(theirs)) ahead = theirs - Date.now();
}

/** The daemon's time, in milliseconds. */
export const now = () => Date.now() + ahead;

/** `03:04:35`, with the day if it is another one. */
export function clock(written) {
  const at = Date.parse(written);
  if (!Number.isFinite(at)) return "";
  const text = new Date(at).toISOString();
  const today = new Date(now()).toISOString().slice(0, 10);
  return (text.startsWith(today) ? "" : `${text.slice(0, 10)} `) + text.slice(11, 19);
}

/** `3 s`, `12 min`, `2 h 5 min`, `4 d 3 h`. */
export function length(milliseconds) {
  // A number and its unit stay on one line.
  return written_out(milliseconds).replaceAll(" ", "\u00a0");
}

function written_out(milliseconds) {
  const s = Math.max(0, Math.round(milliseconds / 1000));
  if (s < 100) return `${s} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  const whole = (big, of, small) =>
    small ? `${big} ${of[0]} ${small} ${of[1]}` : `${big} ${of[0]}`;
  if (s < 86400) return whole(Math.floor(s / 3600), ["h", "min"], Math.floor((s % 3600) / 60));
  return whole(Math.floor(s / 86400), ["d", "h"], Math.floor((s % 86400) / 3600));
}

/** `3 s ago` or `in 3 s`. */
export function away(written) {
  const at = Date.parse(written);
  if (!Number.isFinite(at)) return "";
  const by = at - now();
  return by > 0 ? `in ${length(by)}` : `${length(-by)} ago`;
}

/** `since 03:04:35 (12 s ago)`. */
export const since = (written) => (written ? `since ${clock(written)} (${away(written)})` : "");
