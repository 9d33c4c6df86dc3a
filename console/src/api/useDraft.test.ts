import { createPinia, setActivePinia } from 'pinia';
import { beforeEach, describe, expect, it } from 'vitest';
import { effectScope } from 'vue';

import { Failure } from './failure';
import { useDraft, type Content, type Draft, type Stored } from './useDraft';

interface Form {
  place: string;
  files: string[];
}

/** A hub that keeps one draft, and answers when it is told to. */
function hub(kept: Stored<Form> | null) {
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const saved: Content<Form>[] = [];
  const draft = (): Draft<Form> =>
    useDraft<Form>({
      key: 'journey',
      empty: () => ({ place: '', files: [] }),
      load: () => answered.then(() => kept),
      save: ({ text, data, revision }) => {
        if (revision !== (kept?.revision ?? 0)) throw new Failure('draft_changed', 409, '', { draft: kept } as never);
        saved.push({ text, data });
        kept = { text, data, revision: revision + 1, updated_at: '2026-11-22T02:00:00Z' };
        return Promise.resolve(kept);
      },
      drop: () => Promise.resolve((kept = null)),
    });
  return { answer, saved, draft };
}

const stored = (text: string, data: Partial<Form> = {}): Stored<Form> => ({ text, data: { place: '', files: [], ...data }, revision: 3, updated_at: '2026-11-22T01:00:00Z' });

describe('a draft', () => {
  beforeEach(() => {
    setActivePinia(createPinia());
    localStorage.clear();
  });

  it.each([
    ['nothing kept', null, { text: '路灯', data: { place: '人民路', files: [] } }],
    ['a text kept', stored('您好', { files: ['photo'] }), { text: '您好\n路灯', data: { place: '人民路', files: ['photo'] } }],
  ])('keeps what is typed before the hub has answered: %s', async (_, kept, expected) => {
    const { answer, saved, draft } = hub(kept);
    const scope = effectScope();
    const { content, begun, ready, flush } = scope.run(draft)!;
    content.value.text = '路灯';
    content.value.data.place = '人民路';
    expect(ready.value).toBe(false);
    answer();
    await begun;
    expect(content.value).toEqual(expected);
    await flush();
    expect(saved).toEqual([expected]);
    expect(localStorage.getItem('yingda.draft.journey')).toBeNull();
    scope.stop();
  });

  it('shows what is kept when nothing was typed', async () => {
    const { answer, saved, draft } = hub(stored('您好'));
    const scope = effectScope();
    const { content, state, begun, flush } = scope.run(draft)!;
    answer();
    await begun;
    await flush();
    expect([content.value.text, state.value, saved]).toEqual(['您好', 'saved', []]);
    scope.stop();
  });

  it('asks whose text counts when another window wrote', async () => {
    localStorage.setItem('yingda.draft.journey', JSON.stringify({ text: 'mine', data: { place: '', files: [] }, revision: 2 }));
    const { answer, saved, draft } = hub(stored('theirs'));
    const scope = effectScope();
    const { content, state, theirs, begun, keep, flush } = scope.run(draft)!;
    answer();
    await begun;
    expect([content.value.text, state.value, theirs.value?.text]).toEqual(['mine', 'conflict', 'theirs']);
    keep('mine');
    await flush();
    expect(saved.map(({ text }) => text)).toEqual(['mine']);
    scope.stop();
  });
});
