import { inject, type ComputedRef, type InjectionKey } from 'vue';

interface FieldContext {
  id: string;
  describedBy: ComputedRef<string | undefined>;
  invalid: ComputedRef<boolean>;
}

export const FIELD: InjectionKey<FieldContext> = Symbol('field');

/** What a control takes from the Field around it. */
export function useField(): FieldContext | undefined {
  return inject(FIELD, undefined);
}

/** The looks of every control. */
export const CONTROL =
  'min-h-target w-full rounded-control border border-control bg-surface px-2 text-body text-text aria-invalid:border-error aria-invalid:border-2 disabled:bg-sunken disabled:text-muted';
