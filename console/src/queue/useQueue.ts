import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue';

import { Failure } from '@/api/failure';
import { useLive, type FeedEvent } from '@/live/store';
import { useSession } from '@/session/store';

import { asked, belongs, type Filters, type Summary } from './filters';
import { counts as countsOf, PAGE, summary, tickets, youngest, type Counts } from './requests';
import { PageWindow } from './window';

/** Rows that are kept at most. */
const KEPT = 3_000;
/** Events of this time are dealt with at once. */
const GATHER_MS = 200;
/** Counting is work for the hub. */
const COUNT_MS = 2_000;
/** Tickets that did not come in just now but may belong here since a change; more are told by the counts. */
const MOST_ASKED = 10;

export interface Queue {
  /** The rows; a hole where a page is not kept. */
  rows: ShallowRef<(Summary | undefined)[]>;
  counts: ShallowRef<Counts | undefined>;
  failure: ShallowRef<Failure | undefined>;
  loading: Ref<boolean>;
  complete: Ref<boolean>;
  /** How many wait to be shown; a full page and more counts as a page. */
  arrived: ComputedRef<number>;
  /** Whether there are more than that. */
  isMore: ComputedRef<boolean>;
  /** Reads from the start, with everything that has arrived. */
  restart: () => Promise<void>;
  more: () => Promise<void>;
  /** Tells which rows are in view. */
  see: (first: number, last: number) => void;
}

/**
 * The live list. Rows stand still: what changes is shown where it stands, also when it no longer fits the filters; what
 * comes in waits until `restart`.
 */
export function useQueue(filters: () => Filters, text: () => string): Queue {
  const session = useSession();
  const window = new PageWindow<Summary>(KEPT, ({ number }) => number);
  const rows = shallowRef<(Summary | undefined)[]>([]);
  const counts = shallowRef<Counts>();
  const failure = shallowRef<Failure>();
  const loading = ref(false);
  const complete = ref(false);
  const waiting = shallowRef(new Set<string>());
  let current: AbortController | undefined;
  let view: [number, number] = [0, PAGE];
  const query = (): Record<string, string | boolean> => asked(filters(), text());

  function show(): void {
    rows.value = window.rows();
    complete.value = window.complete;
  }

  async function load(fresh: boolean): Promise<void> {
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      // Filters can leave a page empty without its being the last.
      do {
        const page = await tickets(query(), fresh ? undefined : window.after, mine.signal);
        if (current !== mine) return;
        if (fresh) {
          window.begin();
          waiting.value = new Set();
          fresh = false;
        }
        window.append(page);
        if (page.items.length > 0) break;
      } while (!window.complete);
      show();
      failure.value = undefined;
    } catch (thrown) {
      if (current === mine && !mine.signal.aborted) failure.value = Failure.from(thrown);
    } finally {
      if (current === mine) loading.value = false;
    }
  }

  async function refill(): Promise<void> {
    const missing = window.see(...view);
    if (!missing || loading.value) return;
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      const items: Summary[] = [];
      let { after } = missing;
      // The hub may give what was one page in several; only as long as rows are missing.
      do {
        const page = await tickets(query(), after, mine.signal);
        if (current !== mine) return;
        items.push(...page.items);
        after = page.next ?? undefined;
      } while (after !== undefined && after !== missing.until && items.length < missing.length);
      window.fill(missing.start, items);
      show();
    } catch (thrown) {
      if (current === mine && !mine.signal.aborted) failure.value = Failure.from(thrown);
      return;
    } finally {
      if (current === mine) loading.value = false;
    }
    await refill();
  }

  let counted = 0;
  let countTimer: ReturnType<typeof setTimeout> | undefined;

  async function count(): Promise<void> {
    clearTimeout(countTimer);
    countTimer = undefined;
    counted = performance.now();
    const { order: _, ...rest } = query();
    const wanted = JSON.stringify(rest);
    const found = await countsOf(rest).catch(() => undefined);
    const { order: __, ...now } = query();
    if (found && JSON.stringify(now) === wanted) counts.value = found;
  }

  function countSoon(): void {
    countTimer ??= setTimeout(() => void count(), Math.max(0, counted + COUNT_MS - performance.now()));
  }

  // What the feed tells, gathered: known rows are brought up to date, others are asked whether they belong here.
  let gathered: FeedEvent[] = [];
  let isUnsure = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stale = new Set<string>();

  async function settle(): Promise<void> {
    timer = undefined;
    const events = gathered;
    gathered = [];
    const known = new Set(rows.value.map((row) => row?.number));
    const changed = new Map<string, FeedEvent>();
    const others = new Set<string>();
    let isNew = isUnsure;
    isUnsure = false;
    for (const event of events) {
      if (!event.ticket) continue;
      if (known.has(event.ticket)) changed.set(event.ticket, event);
      else if (event.kind === 'created') isNew = true;
      else if (!waiting.value.has(event.ticket)) others.add(event.ticket);
    }
    if (changed.size > 0) {
      // State and department at once; the rest when the row is in view.
      window.change((row) => {
        const event = changed.get(row.number);
        return event ? { ...row, state: (event.state as Summary['state'] | null) ?? row.state, department: event.department ?? row.department } : row;
      });
      changed.forEach((_, number) => stale.add(number));
      show();
      void refresh();
    }
    const arrived = new Set<string>();
    if (isNew) {
      const page = await tickets({ ...query(), order: 'newest' }, undefined).catch(() => undefined);
      for (const { number } of page?.items ?? []) if (!known.has(number) && isLater(number)) arrived.add(number);
    }
    if (text() === '') {
      for (const number of [...others].slice(0, MOST_ASKED)) {
        const ticket = await summary(number).catch(() => undefined);
        if (ticket && belongs(filters(), ticket, session.me?.id ?? '', Date.now())) arrived.add(number);
      }
    }
    if (arrived.size === 0) return;
    // An empty list has nothing that could move.
    if (rows.value.length === 0 && !loading.value) await restart();
    else waiting.value = new Set([...waiting.value, ...arrived]);
  }

  /** Whether a ticket is younger than what was there when the list was read, rather than on one of its later pages. */
  function isLater(number: string): boolean {
    return number.length > newest.length || (number.length === newest.length && number > newest);
  }
  let newest = '';

  async function refresh(): Promise<void> {
    const shown = rows.value.slice(view[0], view[1] + 1).flatMap((row) => (row && stale.has(row.number) ? [row.number] : []));
    shown.forEach((number) => stale.delete(number));
    await Promise.all(
      shown.map(async (number) => {
        const fresh = await summary(number).catch(() => undefined);
        if (fresh) window.change((row) => (row.number === number && fresh.version >= row.version ? fresh : row));
      }),
    );
    if (shown.length > 0) show();
  }

  const live = useLive();
  live.subscribe((event) => {
    if (!event.ticket) return;
    gathered.push(event);
    timer ??= setTimeout(() => void settle(), GATHER_MS);
    countSoon();
  });
  // What came in between the list and the beginning of the feed is in neither.
  watch(
    () => live.isLive,
    (isLive) => {
      if (!isLive) return;
      isUnsure = true;
      timer ??= setTimeout(() => void settle(), GATHER_MS);
      countSoon();
    },
  );

  async function restart(): Promise<void> {
    void count();
    // Numbers grow: whatever is younger than the youngest ticket before the list was read has arrived since.
    newest = (await youngest().catch(() => undefined)) ?? newest;
    await load(true);
  }

  watch([() => JSON.stringify(filters()), text], () => void restart());
  onScopeDispose(() => {
    current?.abort();
    clearTimeout(timer);
    clearTimeout(countTimer);
  });

  return {
    rows,
    counts,
    failure,
    loading,
    complete,
    arrived: computed(() => Math.min(waiting.value.size, PAGE)),
    isMore: computed(() => waiting.value.size >= PAGE),
    restart,
    more: async () => {
      if (!loading.value && !complete.value && !failure.value) await load(false);
    },
    see: (first, last) => {
      view = [first, last];
      void refill();
      void refresh();
    },
  };
}
