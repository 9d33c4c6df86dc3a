// What the hub calls its service items and departments; fetched once, named in the person's language.
import { defineStore } from 'pinia';
import { computed, shallowRef } from 'vue';

import { api, call, type Schema } from '@/api/client';
import { i18n } from '@/i18n';

/** A name by language (BCP 47), as the hub sends it. */
export type Names = Record<string, string>;

export interface Choice {
  id: string;
  name: string;
  /** The group of an item; empty of a department. */
  detail: string;
  /** What it is found by besides: names in every language, pinyin, initials. */
  keys: string;
  /** Whom an item goes to. */
  department: string | null;
}

/** The name in a language of the console, else any there is. */
export function named(names: Names | undefined, language: string): string | undefined {
  if (!names) return undefined;
  return names[language] ?? names[language.startsWith('zh') ? 'zh-Hans' : 'en'] ?? Object.values(names)[0];
}

export const useCatalogue = defineStore('catalogue', () => {
  const { locale } = i18n.global;
  const items = shallowRef<Schema<'ItemView'>[]>([]);
  const departments = shallowRef<Schema<'DepartmentView'>[]>([]);
  let loading: Promise<void> | undefined;

  /** Fetches both lists, once; a failure is forgotten, so that the next page tries again. */
  function load(): Promise<void> {
    loading ??= Promise.all([call(api.GET('/api/v1/items')), call(api.GET('/api/v1/departments'))])
      .then(([known, offices]) => {
        items.value = known.items;
        departments.value = offices.items;
      })
      .catch(() => {
        loading = undefined;
      });
    return loading;
  }

  const itemById = computed(() => new Map(items.value.map((item) => [item.id, item])));
  const departmentById = computed(() => new Map(departments.value.map((department) => [department.id, department])));

  const itemName = (id: string | null | undefined): string => (id ? (named(itemById.value.get(id)?.names, locale.value) ?? id) : '');
  const departmentName = (id: string | null | undefined): string =>
    id ? (named(departmentById.value.get(id)?.names, locale.value) ?? id) : '';

  const itemChoices = computed<Choice[]>(() =>
    items.value.map((item) => ({
      id: item.id,
      name: itemName(item.id),
      detail: named(item.group_names, locale.value) ?? item.group,
      keys: item.keys.join(' '),
      department: item.department ?? null,
    })),
  );
  const departmentChoices = computed<Choice[]>(() =>
    departments.value.map(({ id, keys }) => ({ id, name: departmentName(id), detail: '', keys: keys.join(' '), department: id })),
  );

  return { load, itemName, departmentName, itemById, itemChoices, departmentChoices };
});
