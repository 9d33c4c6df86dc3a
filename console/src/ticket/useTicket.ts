import { computed, inject, onScopeDispose, ref, shallowRef, watch, type InjectionKey, type ComputedRef, type Ref, type ShallowRef } from 'vue';

import { Failure } from '@/api/failure';
import { useLive } from '@/live/store';

import { differences } from './changes';
import { allHistory, drafts, history, ticket as fetchTicket, type FieldChange, type History, type Ticket } from './requests';

type Drafting = Awaited<ReturnType<typeof drafts>>['others'];

/** What others have done to a ticket since the version that a writer saw. */
export interface Newer {
  /** How often the citizen wrote. */
  messages: number;
  fields: FieldChange[];
  events: History[];
}

export interface OpenTicket {
  number: string;
  ticket: ShallowRef<Ticket | undefined>;
  failure: ShallowRef<Failure | undefined>;
  loading: Ref<boolean>;
  /** Colleagues who write at this moment. */
  others: ShallowRef<Drafting>;
  /** The version that writes carry: what the person has seen. Behind the newest while something is written. */
  seen: Ref<number>;
  /** What is newer than what was seen; undefined when nothing is. */
  newer: ComputedRef<Newer | undefined>;
  /** Grows with every event of the ticket. */
  events: Ref<number>;
  reload: () => Promise<void>;
  /** Shows a ticket: what the hub answered to a write, or what it will presumably be. */
  adopt: (fresh: Ticket) => void;
  /** Shows an outcome before the hub has confirmed it; returns how to take it back. */
  presume: (change: (ticket: Ticket) => Ticket) => () => void;
  /** What has changed is seen now. */
  accept: () => void;
  /** Whether something is being written. */
  isHeld: Ref<boolean>;
  /** While something is being written, the version seen stays. */
  hold: (holder: symbol, holds: boolean) => void;
  /** Goes on with something that was written at an older version, last touched at a time. */
  resume: (version: number, since: string) => Promise<void>;
  /** Takes what a 409 tells. */
  conflict: (failure: Failure) => Promise<void>;
}

/** Several events of one moment, such as a dispatch and its notices, are one reload. */
const GATHER_MS = 60;
/** How often a message that is leaving is looked after, and for how long. */
const LOOK_AGAIN_MS = 1_500;
const LOOK_MS = 60_000;

export const OPEN: InjectionKey<OpenTicket> = Symbol('ticket');

/** The ticket of the page that a part stands on. */
export function useOpenTicket(): OpenTicket {
  const open = inject(OPEN);
  if (!open) throw new Error('this part stands on the page of a ticket');
  return open;
}

export function useTicket(number: string): OpenTicket {
  const ticket = shallowRef<Ticket>();
  const failure = shallowRef<Failure>();
  const loading = ref(false);
  const others = shallowRef<Drafting>([]);
  const seen = ref(0);
  const events = ref(0);
  const seenTicket = shallowRef<Ticket>();
  const told = shallowRef<History[]>([]);
  const refused = shallowRef<Newer>();
  const holders = new Set<symbol>();
  const isHeld = ref(false);
  let current: AbortController | undefined;

  function settle(fresh: Ticket, own: boolean): void {
    // Answers may overtake one another.
    if (ticket.value && fresh.version < ticket.value.version) return;
    ticket.value = fresh;
    if (own || holders.size === 0 || !seenTicket.value) {
      seen.value = fresh.version;
      seenTicket.value = fresh;
      told.value = [];
      refused.value = undefined;
    }
  }

  // The feed tells when a message has arrived or failed, not that it has left: that is looked up while it is under way.
  let looking: ReturnType<typeof setTimeout> | undefined;
  watch(ticket, (now) => {
    clearTimeout(looking);
    const isUnderWay = now?.deliveries.some(({ state, created_at }) => (state === 'queued' || state === 'sending') && Date.now() - Date.parse(created_at) < LOOK_MS);
    if (isUnderWay) looking = setTimeout(() => void reload(), LOOK_AGAIN_MS);
  });

  async function reload(): Promise<void> {
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      const fresh = await fetchTicket(number, mine.signal);
      if (current !== mine) return;
      settle(fresh, false);
      failure.value = undefined;
    } catch (thrown) {
      if (current === mine && !mine.signal.aborted) failure.value = Failure.from(thrown);
    } finally {
      if (current === mine) loading.value = false;
    }
  }

  async function lookAtDrafts(): Promise<void> {
    others.value = (await drafts(number).catch(() => undefined))?.others ?? others.value;
  }

  /** Who did what since the version seen, in the words of the history. */
  async function tell(position: number): Promise<void> {
    if (holders.size === 0 || !seenTicket.value) return;
    const page = await history(number, String(position - 1)).catch(() => undefined);
    const known = new Set(told.value.map((event) => event.position));
    if (page && holders.size > 0) told.value = told.value.concat(page.items.filter((event) => !known.has(event.position)));
  }

  let timer: ReturnType<typeof setTimeout> | undefined;
  let first = 0;
  const live = useLive();
  // What happened between the first look and the beginning of the feed is in neither.
  watch(
    () => live.isLive,
    (isLive) => {
      if (isLive) void Promise.all([reload(), lookAtDrafts()]);
    },
  );
  live.subscribe(
    (event) => {
      if (event.kind === 'drafting') return void lookAtDrafts();
      first ||= event.position;
      timer ??= setTimeout(() => {
        timer = undefined;
        const from = first;
        first = 0;
        events.value += 1;
        void reload();
        void tell(from);
        void lookAtDrafts();
      }, GATHER_MS);
    },
    { ticket: number },
  );
  onScopeDispose(() => {
    clearTimeout(looking);
    clearTimeout(timer);
    current?.abort();
  });

  const newer = computed<Newer | undefined>(() => {
    const now = ticket.value;
    const before = seenTicket.value;
    if (!now || !before || (now.version <= seen.value && !refused.value)) return undefined;
    if (refused.value) return refused.value;
    const known = new Set(before.appeals.map(({ id }) => id));
    return {
      messages: now.appeals.filter(({ id }) => !known.has(id)).length,
      fields: differences(before, now, told.value),
      events: told.value,
    };
  });

  void reload();
  void lookAtDrafts();
  return {
    number,
    ticket,
    failure,
    loading,
    others,
    seen,
    newer,
    events,
    reload,
    adopt: (fresh) => settle(fresh, true),
    presume(change) {
      const before = ticket.value;
      if (!before) return () => undefined;
      const shown = (ticket.value = change(before));
      return () => {
        // Unless something newer has come meanwhile.
        if (ticket.value === shown) ticket.value = before;
      };
    },
    accept() {
      if (!ticket.value) return;
      seen.value = ticket.value.version;
      seenTicket.value = ticket.value;
      told.value = [];
      refused.value = undefined;
    },
    isHeld,
    hold(holder, holds) {
      if (holds) holders.add(holder);
      else holders.delete(holder);
      isHeld.value = holders.size > 0;
      // Nothing is written any more: what is on the screen counts as seen.
      if (holders.size === 0 && ticket.value) {
        seen.value = ticket.value.version;
        seenTicket.value = ticket.value;
        told.value = [];
        refused.value = undefined;
      }
    },
    async resume(version, since) {
      const now = ticket.value;
      if (!now || version >= seen.value) return;
      seen.value = version;
      const events = await allHistory(number).catch(() => []);
      refused.value = {
        messages: now.appeals.filter(({ received_at }) => received_at > since).length,
        fields: [],
        events: events.filter(({ at }) => at > since),
      };
    },
    async conflict({ detail }) {
      await reload();
      // With nothing being written there is nothing to decide: the newest is shown, and a notice has said why.
      if (holders.size === 0) return;
      refused.value = { messages: detail.new_messages ?? 0, fields: detail.fields ?? [], events: detail.events ?? [] };
    },
  };
}
