// What somebody is writing, kept on the hub while they write. Until the hub has it, this browser keeps a copy, so that
// nothing is lost by a reload, a log-out or a cut connection.
import { computed, onScopeDispose, reactive, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue';

import { useLive } from '@/live/store';

import { Failure } from './failure';

/** A draft as the hub stores it; `data` is the rest of the form. */
export interface Stored<Data> {
  text: string;
  data?: Data | null;
  revision: number;
  updated_at: string;
}

export interface Content<Data> {
  text: string;
  data: Data;
}

export interface Draft<Data> {
  /** What stands in the form; change it freely. */
  content: Ref<Content<Data>>;
  /** `clean`: nothing written; `saving`: on its way; `saved` on the hub; `local`: could not be saved, only in this browser; `conflict`: another window wrote. */
  state: ComputedRef<'clean' | 'saving' | 'saved' | 'local' | 'conflict'>;
  /** When the hub last saved it. */
  savedAt: Ref<string | null>;
  /** What another window has written meanwhile. */
  theirs: ShallowRef<Stored<Data> | undefined>;
  /** Whether what was kept has been looked up. What is typed before that stays, after what was kept. */
  ready: Ref<boolean>;
  /** Resolves when `ready` is true: what is sent must hold what was kept. */
  begun: Promise<void>;
  /** Settles a conflict with another window. */
  keep: (whose: 'mine' | 'theirs') => void;
  /** Saves what is not saved yet, now. */
  flush: () => Promise<void>;
  /** Forgets it everywhere, after it was sent. */
  clear: () => Promise<void>;
}

interface Where<Data> {
  /** Names the copy in this browser; unique to person and form. */
  key: string;
  empty: () => Data;
  load: () => Promise<Stored<Data> | null>;
  save: (content: Content<Data> & { revision: number }) => Promise<Stored<Data>>;
  drop: () => Promise<unknown>;
}

/** The drafts that only this browser has. */
const here = reactive(new Set<string>());

/** How many drafts only this browser has, for as long as the hub cannot take them. */
export const draftsHere = computed(() => here.size);

const PAUSE_MS = 700;
const AGAIN_MS = 5_000;

interface Copy<Data> extends Content<Data> {
  revision: number;
}

export function useDraft<Data>({ key, empty, load, save, drop }: Where<Data>): Draft<Data> {
  const place = `yingda.draft.${key}`;
  const content = ref({ text: '', data: empty() }) as Ref<Content<Data>>;
  const savedAt = ref<string | null>(null);
  const ready = ref(false);
  const theirs = shallowRef<Stored<Data>>();
  const phase = ref<'clean' | 'saving' | 'saved' | 'local'>('clean');
  let revision = 0;
  let known = shape(content.value);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;
  let over = false;

  function shape({ text, data }: Content<Data>): string {
    return JSON.stringify([text, data]);
  }

  function local(): Copy<Data> | undefined {
    try {
      return (JSON.parse(localStorage.getItem(place) ?? 'null') ?? undefined) as Copy<Data> | undefined;
    } catch {
      return undefined;
    }
  }

  function adopt(stored: Stored<Data>): void {
    revision = stored.revision;
    savedAt.value = stored.updated_at;
  }

  function show({ text, data }: { text: string; data?: Data | null }): void {
    content.value = { text, data: { ...empty(), ...data } };
  }

  async function begin(): Promise<void> {
    const copy = local();
    let stored: Stored<Data> | null = null;
    try {
      stored = await load();
    } catch {
      // The copy in this browser is what there is; saving will be tried again.
    }
    if (over) return;
    const ahead = shape(content.value) === known ? undefined : content.value;
    content.value = { text: '', data: empty() };
    if (stored) {
      adopt(stored);
      show(stored);
      known = shape(content.value);
      phase.value = 'saved';
    }
    let isBehind = false;
    if (copy && shape({ text: copy.text, data: { ...empty(), ...copy.data } }) !== known) {
      if (stored && stored.revision !== copy.revision) theirs.value = stored;
      show(copy);
      phase.value = 'local';
      isBehind = true;
    }
    ready.value = true;
    if (ahead) follow(ahead);
    else if (isBehind) void flush();
  }

  /** Puts what was typed while the kept text was looked up behind it. */
  function follow(ahead: Content<Data>): void {
    const nothing = empty();
    const data = { ...content.value.data };
    for (const field of Object.keys(nothing as object) as (keyof Data)[]) {
      if (JSON.stringify(ahead.data[field]) !== JSON.stringify(nothing[field])) data[field] = ahead.data[field];
    }
    content.value = { text: [content.value.text, ahead.text].filter((text) => text !== '').join('\n'), data };
  }

  async function store(): Promise<void> {
    if (over || theirs.value || !ready.value) return;
    const sending = shape(content.value);
    if (sending === known) return;
    phase.value = 'saving';
    try {
      const stored = await save({ ...content.value, revision });
      if (over) return;
      adopt(stored);
      known = sending;
      if (shape(content.value) === sending) {
        localStorage.removeItem(place);
        phase.value = 'saved';
      }
    } catch (thrown) {
      if (over) return;
      phase.value = 'local';
      const failure = Failure.from(thrown);
      const other = (failure.detail as { draft?: Stored<Data> | null }).draft;
      if (failure.code === 'draft_changed' && other) theirs.value = other;
      else if (failure.code === 'draft_changed') revision = 0;
      if (!theirs.value) later(AGAIN_MS);
    }
  }

  /** One saving at a time, the newest last. */
  function flush(): Promise<void> {
    clearTimeout(timer);
    running = (running ?? Promise.resolve()).then(store);
    return running;
  }

  function later(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void flush(), ms);
  }

  watch(
    content,
    () => {
      if (!ready.value || over) return;
      const now = shape(content.value);
      if (now === known) return;
      localStorage.setItem(place, JSON.stringify({ ...content.value, revision } satisfies Copy<Data>));
      // Only a saving that failed makes it a matter of this browser; until then it is on its way.
      if (phase.value !== 'local') phase.value = 'saving';
      later(PAUSE_MS);
    },
    { deep: true, flush: 'sync' },
  );

  watch(phase, (now) => (now === 'local' ? here.add(place) : now === 'saving' || here.delete(place)), { flush: 'sync' });

  // The connection is back: what waited in this browser goes to the hub.
  const live = useLive();
  watch(
    () => live.isLive,
    (isLive) => {
      if (isLive && phase.value === 'local') void flush();
    },
  );

  function keep(whose: 'mine' | 'theirs'): void {
    const other = theirs.value;
    if (!other) return;
    theirs.value = undefined;
    adopt(other);
    if (whose === 'theirs') {
      show(other);
      known = shape(content.value);
      localStorage.removeItem(place);
      phase.value = 'saved';
    } else void flush();
  }

  async function clear(): Promise<void> {
    clearTimeout(timer);
    await running;
    const had = revision > 0;
    localStorage.removeItem(place);
    revision = 0;
    theirs.value = undefined;
    const nothing = { text: '', data: empty() };
    known = shape(nothing);
    content.value = nothing;
    savedAt.value = null;
    phase.value = 'clean';
    clearTimeout(timer);
    // A draft that could not be dropped is shown once more later; nothing worse.
    if (had) await drop().catch(() => undefined);
  }

  onScopeDispose(() => {
    void flush().finally(() => (over = true));
    clearTimeout(timer);
  });
  const begun = begin();

  return { content, state: computed(() => (theirs.value ? 'conflict' : phase.value)), savedAt, theirs, ready, begun, keep, flush, clear };
}
