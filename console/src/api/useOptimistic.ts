import { useNotices } from '@/components/notices';

import { useFailures } from './useFailures';

interface Attempt<Answer> {
  /** Shows the outcome at once; returns how to take it back. */
  show: () => () => void;
  /** Asks the hub. */
  send: () => Promise<Answer>;
  /** What was attempted, in words: "Sign 20261122000017". Left out where the caller says itself what was taken back and why. */
  what?: string;
}

/**
 * Shows an outcome before the hub has confirmed it. If the hub refuses, the page goes back to what it was, visibly: a
 * notice says what was taken back and why. Resolves to the answer; rejects with the failure after the rollback.
 */
export function useOptimistic(): <Answer>(attempt: Attempt<Answer>) => Promise<Answer> {
  const notices = useNotices();
  const { explain } = useFailures();
  return async ({ show, send, what }) => {
    const rollBack = show();
    try {
      return await send();
    } catch (thrown) {
      rollBack();
      if (what === undefined) throw thrown;
      const { what: why, todo } = explain(thrown);
      notices.add({ tone: 'error', text: `${what}: ${why}`, detail: todo });
      throw thrown;
    }
  };
}
