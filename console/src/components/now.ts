import { ref, type Ref } from 'vue';

const STEP_MS = 15_000;
const now = ref(Date.now());
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, a few times a minute, the same for the whole page; rests while the page is hidden. */
export function useNow(): Readonly<Ref<number>> {
  timer ??= setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, STEP_MS);
  return now;
}
