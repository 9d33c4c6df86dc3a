// The order of the feed: each position once, ascending, none skipped.
import type { Schema } from '@/api/client';

export type FeedEvent = Schema<'EventView'>;

export type Verdict = 'next' | 'seen' | 'gap';

/** What an event at a position is, after the last one seen. Readers of one department see only theirs: for them no gap is a loss. */
export function judge(last: number, position: number, seesAll: boolean): Verdict {
  if (position <= last) return 'seen';
  return seesAll && position > last + 1 ? 'gap' : 'next';
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** How long to wait before the nth attempt (from 0) to reconnect; `chance` in 0..1 spreads the consoles of a city. */
export function waitMs(attempt: number, chance: number): number {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return whole / 2 + (whole / 2) * chance;
}
