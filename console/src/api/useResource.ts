import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue';

import { Failure } from './failure';

export interface Resource<Data> {
  /** The newest data; the old stays while new is fetched. */
  data: ShallowRef<Data | undefined>;
  failure: ShallowRef<Failure | undefined>;
  loading: Ref<boolean>;
  reload: () => Promise<void>;
}

/** Fetches at once and whenever `when` changes; an answer that is overtaken by a later request is dropped. */
export function useResource<Data>(fetch: (signal: AbortSignal) => Promise<Data>, when?: WatchSource | WatchSource[]): Resource<Data> {
  const data = shallowRef<Data>();
  const failure = shallowRef<Failure>();
  const loading = ref(false);
  let current: AbortController | undefined;

  async function reload(): Promise<void> {
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      const fetched = await fetch(mine.signal);
      if (current !== mine) return;
      data.value = fetched;
      failure.value = undefined;
    } catch (thrown) {
      if (current === mine && !mine.signal.aborted) failure.value = Failure.from(thrown);
    } finally {
      if (current === mine) loading.value = false;
    }
  }

  if (when) watch(when, () => void reload());
  onScopeDispose(() => current?.abort());
  void reload();
  return { data, failure, loading, reload };
}
