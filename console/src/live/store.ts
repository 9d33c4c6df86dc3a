import { defineStore } from 'pinia';
import { getCurrentScope, onScopeDispose, ref } from 'vue';

import { api, call, onUnreachable } from '@/api/client';
import { useSession } from '@/session/store';

import { Feed } from './feed';
import { newestPosition } from './newest';
import type { FeedEvent } from './sequence';

export type { FeedEvent } from './sequence';

export interface Interest {
  /** Only events of this ticket. */
  ticket?: string;
  /** Only events of these kinds. */
  kinds?: string[];
}

const PAGE = 1000;

const events = (after: number, limit: number): Promise<FeedEvent[]> =>
  call(api.GET('/api/v1/events', { params: { query: { after, limit } } })).then(({ items }) => items);

function open(after: number): WebSocket {
  const address = new URL('/api/v1/feed', location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  address.searchParams.set('after', String(after));
  address.searchParams.set('batch', '1');
  return new WebSocket(address);
}

/** The live feed of the hub: one connection for the whole console. */
export const useLive = defineStore('live', () => {
  const session = useSession();
  const isLive = ref(false);
  /** Since when it is not live; null while it is, and before the first connection. */
  const offSince = ref<Date | null>(null);
  const listeners = new Set<{ interest: Interest; hear: (event: FeedEvent) => void }>();
  let feed: Feed | undefined;

  function start(): void {
    feed?.stop();
    feed = new Feed(
      {
        open,
        page: (after) => events(after, PAGE),
        newest: () => newestPosition(async (position) => (await events(position, 1)).length > 0),
        later: (run, ms) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        chance: Math.random,
      },
      {
        event: (event) => {
          for (const { interest, hear } of listeners) {
            if (interest.ticket !== undefined && interest.ticket !== event.ticket) continue;
            if (interest.kinds && !interest.kinds.includes(event.kind)) continue;
            hear(event);
          }
        },
        live: (live) => {
          isLive.value = live;
          offSince.value = live ? null : (offSince.value ?? new Date());
        },
        refused: () => void session.check(),
      },
      !session.me?.department,
    );
    feed.start();
  }

  function stop(): void {
    feed?.stop();
    feed = undefined;
    isLive.value = false;
    offSince.value = null;
  }

  addEventListener('online', () => feed?.hurry());
  // A socket notices late, or never, that the network is gone.
  addEventListener('offline', () => feed?.doubt());
  onUnreachable(() => feed?.doubt());
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) feed?.hurry();
  });

  /** Hears events until the calling component goes, or until the returned function is called. */
  function subscribe(hear: (event: FeedEvent) => void, interest: Interest = {}): () => void {
    const listener = { interest, hear };
    listeners.add(listener);
    const end = (): void => void listeners.delete(listener);
    if (getCurrentScope()) onScopeDispose(end);
    return end;
  }

  return { isLive, offSince, start, stop, subscribe };
});
