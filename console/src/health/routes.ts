import type { RouteRecordRaw } from 'vue-router';

export default [
  {
    path: '/health',
    name: 'health',
    component: () => import('./HealthPage.vue'),
    meta: { title: 'health.title', roles: ['supervisor', 'admin'], nav: { icon: 'health', letter: 'h' } },
  },
] satisfies RouteRecordRaw[];
