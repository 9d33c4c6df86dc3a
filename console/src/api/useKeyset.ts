import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue';

import { Failure } from './failure';

export interface KeysetPage<Item> {
  items: Item[];
  /** What to send as `after` for the next page; null at the end. */
  next?: string | null;
}

export interface Keyset<Item> {
  items: ShallowRef<Item[]>;
  failure: ShallowRef<Failure | undefined>;
  loading: Ref<boolean>;
  /** Whether the end has been reached. */
  complete: Ref<boolean>;
  /** Fetches the next page; does nothing while one is fetched or at the end. */
  more: () => Promise<void>;
  /** Begins again; the old items stay until the first page is there. */
  restart: () => Promise<void>;
  /** Changes the items shown, for instance when the feed tells of one. */
  change: (change: (items: Item[]) => Item[]) => void;
}

/** A list that is read page by page along a key, however long it is. */
export function useKeyset<Item>(fetch: (after: string | undefined, signal: AbortSignal) => Promise<KeysetPage<Item>>): Keyset<Item> {
  const items = shallowRef<Item[]>([]);
  const failure = shallowRef<Failure>();
  const loading = ref(false);
  const complete = ref(false);
  let after: string | undefined;
  let current: AbortController | undefined;

  async function load(fresh: boolean): Promise<void> {
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      const page = await fetch(fresh ? undefined : after, mine.signal);
      if (current !== mine) return;
      items.value = fresh ? page.items : items.value.concat(page.items);
      after = page.next ?? undefined;
      complete.value = after === undefined;
      failure.value = undefined;
    } catch (thrown) {
      if (current === mine && !mine.signal.aborted) failure.value = Failure.from(thrown);
    } finally {
      if (current === mine) loading.value = false;
    }
  }

  onScopeDispose(() => current?.abort());
  return {
    items,
    failure,
    loading,
    complete,
    more: async () => {
      if (!loading.value && !complete.value) await load(false);
    },
    restart: () => load(true),
    change: (change) => {
      items.value = change(items.value);
    },
  };
}
