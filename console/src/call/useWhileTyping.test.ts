import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { effectScope, nextTick, ref } from 'vue';

import { useWhileTyping } from './useWhileTyping';

describe('asking while somebody types', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('waits for a rest, and drops an answer that came too late', async () => {
    const typed = ref('');
    const asked: { text: string; answer: (text: string) => void }[] = [];
    const scope = effectScope();
    const { answer } = scope.run(() =>
      useWhileTyping(
        () => typed.value || null,
        (text) => new Promise<string>((resolve) => asked.push({ text, answer: resolve })),
        300,
      ),
    )!;
    const type = async (text: string, restMs: number): Promise<void> => {
      typed.value = text;
      await nextTick();
      await vi.advanceTimersByTimeAsync(restMs);
    };
    await type('l', 100);
    await type('li', 300);
    await type('lig', 300);
    expect(asked.map(({ text }) => text)).toEqual(['li', 'lig']);
    asked[1]?.answer('new');
    await nextTick();
    asked[0]?.answer('old');
    await vi.advanceTimersByTimeAsync(0);
    expect(answer.value).toBe('new');
    await type('', 0);
    expect(answer.value).toBeUndefined();
    scope.stop();
  });
});
