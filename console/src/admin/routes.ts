import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/rule-sets',
    name: 'rule-sets',
    component: () => import('./RuleSetsPage.vue'),
    meta: { title: 'admin.rules.title', roles: ['supervisor', 'admin'], nav: { icon: 'bolt', letter: 'w' } },
  },
  {
    path: '/admin',
    name: 'admin',
    component: () => import('./AdminPage.vue'),
    meta: { title: 'admin.title', roles: ['admin'], nav: { icon: 'admin', letter: 'a' } },
  },
] satisfies RouteRecordRaw[];
