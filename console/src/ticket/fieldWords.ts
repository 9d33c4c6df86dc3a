import { useI18n } from 'vue-i18n';

import { useTimes } from '@/components/times';
import { useCatalogue } from '@/words/catalogue';

/** Names and values of a ticket's fields in words. */
export function useFieldWords(): { fieldName: (field: string) => string; fieldValue: (field: string, value: unknown) => string } {
  const { t, te } = useI18n();
  const times = useTimes();
  const catalogue = useCatalogue();
  const word = (group: 'state' | 'priority' | 'kind' | 'channel', value: string): string => (te(`words.${group}.${value}`) ? t(`words.${group}.${value}`) : value);
  return {
    fieldName: (field) => (te(`ticket.field.${field}`) ? t(`ticket.field.${field}`) : field),
    fieldValue(field, value) {
      if (value === null || value === undefined || value === '') return t('ticket.nothing');
      if (typeof value === 'boolean') return value ? t('ticket.yes') : t('ticket.no');
      if (typeof value === 'object') return (value as { name?: string }).name ?? JSON.stringify(value);
      const text = String(value);
      switch (field) {
        case 'state':
        case 'priority':
        case 'kind':
          return word(field, text);
        case 'answer_channel':
          return word('channel', text);
        case 'item':
          return catalogue.itemName(text);
        case 'department':
          return catalogue.departmentName(text);
        case 'due_at':
          return times.value.short(text);
        default:
          return text;
      }
    },
  };
}
