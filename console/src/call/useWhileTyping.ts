import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue';

import { Failure } from '@/api/failure';

interface Live<Answer> {
  answer: ShallowRef<Answer | undefined>;
  failure: ShallowRef<Failure | undefined>;
  asking: Ref<boolean>;
}

/** Asks again a moment after the typing rests; an answer that newer typing has overtaken is dropped. `null` asks nothing. */
export function useWhileTyping<Typed, Answer>(typed: () => Typed | null, ask: (typed: Typed, signal: AbortSignal) => Promise<Answer>, pauseMs: number): Live<Answer> {
  const answer = shallowRef<Answer>();
  const failure = shallowRef<Failure>();
  const asking = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: AbortController | undefined;

  watch(
    () => JSON.stringify(typed()),
    () => {
      clearTimeout(timer);
      current?.abort();
      const wanted = typed();
      if (wanted === null) {
        answer.value = undefined;
        asking.value = false;
        return;
      }
      asking.value = true;
      timer = setTimeout(() => {
        const mine = (current = new AbortController());
        ask(wanted, mine.signal)
          .then((fresh) => {
            if (current !== mine || mine.signal.aborted) return;
            answer.value = fresh;
            failure.value = undefined;
            asking.value = false;
          })
          .catch((thrown: unknown) => {
            if (current !== mine || mine.signal.aborted) return;
            failure.value = Failure.from(thrown);
            asking.value = false;
          });
      }, pauseMs);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    clearTimeout(timer);
    current?.abort();
  });
  return { answer, failure, asking };
}
