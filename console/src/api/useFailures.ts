import { useI18n } from 'vue-i18n';

import { Failure } from './failure';

export interface Explanation {
  /** What happened. */
  what: string;
  /** What is safe and what to do. */
  todo: string;
  /** For the operator. */
  code: string;
}

/** Failures in words: what happened and what to do. */
export function useFailures(): { explain: (thrown: unknown) => Explanation } {
  const { t, te } = useI18n();
  return {
    explain(thrown) {
      const { code, status, retryAfter } = Failure.from(thrown);
      const known = te(`api.failure.${code}.what`) ? code : status >= 500 ? 'internal' : status === 0 ? 'offline' : 'refused';
      const minutes = Math.max(1, Math.ceil((retryAfter ?? 60) / 60));
      return { what: t(`api.failure.${known}.what`), todo: t(`api.failure.${known}.todo`, { minutes }), code };
    },
  };
}
