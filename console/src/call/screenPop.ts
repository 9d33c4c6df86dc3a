// The telephone system opens `/console/call#from=+8613800138000`. The number is taken out of the address before the router,
// the history or a login page's way back can keep it.
let waiting: string | undefined;

/** The number of a screen pop in a fragment, or undefined. */
export function popped(fragment: string): string | undefined {
  const number = new URLSearchParams(fragment.replace(/^#/, '').replaceAll('+', '%2B')).get('from')?.trim();
  return number === undefined || number === '' ? undefined : number.slice(0, 64);
}

/** Keeps the number of a fragment for the form; true when there was one. */
export function catchPop(fragment: string): boolean {
  const number = popped(fragment);
  if (number === undefined) return false;
  waiting = number;
  return true;
}

/** The number that waits for the form; asked for once. */
export function takePop(): string | undefined {
  const number = waiting;
  waiting = undefined;
  return number;
}

/** Takes the number out of the address that the page was opened with. */
export function cleanAddress(): void {
  if (catchPop(location.hash)) history.replaceState(history.state, '', location.pathname + location.search);
}
