import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/desk',
    name: 'desk',
    component: () => import('./DeskPage.vue'),
    meta: { title: 'desk.title', roles: ['handler', 'supervisor', 'admin'], nav: { icon: 'desk', letter: 'd' } },
  },
] satisfies RouteRecordRaw[];
