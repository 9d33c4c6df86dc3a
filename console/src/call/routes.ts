import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/call',
    name: 'call',
    component: () => import('./CallPage.vue'),
    meta: { title: 'call.title', roles: ['agent', 'supervisor', 'admin'], nav: { icon: 'call', letter: 'c' } },
  },
] satisfies RouteRecordRaw[];
