/**
 * The newest position of the feed, found by asking whether there is an event after a position: the step doubles until there
 * is none, then the range is halved. About twice the logarithm of the position in small questions.
 */
export async function newestPosition(isAfter: (position: number) => Promise<boolean>): Promise<number> {
  if (!(await isAfter(0))) return 0;
  let below = 0;
  let above = 1024;
  while (await isAfter(above)) {
    below = above;
    above *= 8;
  }
  // There is an event after `below` and none after `above`.
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (await isAfter(middle)) below = middle;
    else above = middle;
  }
  return above;
}
