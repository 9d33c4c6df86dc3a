import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/admin',
    name: 'admin',
    component: () => import('./AdminPage.vue'),
    meta: { title: 'admin.title', roles: ['admin'], nav: { icon: 'admin', letter: 'a' } },
  },
] satisfies RouteRecordRaw[];
