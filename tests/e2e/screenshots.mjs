// Pictures of the main pages, on a hub with the demo's traffic: all of them into `folder`, in both languages and themes, on
// the screens where they are used. Not a test: `make screenshots` runs it and copies the best into docs/screenshots/.
//
// {staff, secret: of the SMS account, folder}; returns {pictures}
import { sms } from './console/citizen.mjs';
import { journey, logIn, SCREENS } from './console/harness.mjs';

const FROM = '+8613800138077';
const ARRIVALS = 24;
/** What the pages say once the hub has a draft. */
const SAVED = /草稿已(于 .* )?保存|[Dd]raft saved/;
const PHOTO =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** Asks the staff API in the name of whoever is logged in on the page. */
const ask = (page, path, body) =>
  page.evaluate(
    async ([where, sent]) => {
      const headers = { 'content-type': 'application/json', 'yingda-console': '1' };
      const answer = await fetch(`/api/v1${where}`, sent ? { method: 'POST', headers, body: JSON.stringify(sent) } : {});
      if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
      return answer.status === 204 ? null : answer.json();
    },
    [path, body],
  );

await journey(async ({ base, given, staff, open }) => {
  const { secret, folder } = given;
  /** Forgets what was written for a picture, so that the next begins without it. */
  const drop = async (page, path) => {
    const answer = await page.request.delete(`${base}/api/v1${path}`, { headers: { 'yingda-console': '1' } });
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()}`);
  };
  const handler = staff('handler', 'urban-management');
  const pictures = [];

  // Something for every page to show: a citizen who writes twice, an answer, a note, a forged message, a call to make.
  const seed = await open({ expected: [/.*/] });
  await logIn(seed, base, staff('agent'), '/me');
  const arrived = async () => (await ask(seed, '/tickets?limit=100')).items.length >= ARRIVALS;
  for (let turn = 0; turn < 240 && !(await arrived()); turn += 1) await seed.waitForTimeout(500);
  await sms(base, secret, FROM, '人民路和解放路路口的路灯坏了三天，晚上很黑，老人走路不安全，请尽快维修。');
  await sms(base, 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', '+8613800138044', '解放路的井盖没有了').catch(() => undefined);
  const { items } = await ask(seed, '/tickets?limit=100&order=newest');
  const mine = items.find(({ subject }) => subject.startsWith('人民路和解放路路口'));
  await seed.context().close();

  const desk = await open({ expected: [/.*/] });
  await logIn(desk, base, handler, '/me');
  const todo = (await ask(desk, '/tickets?state=dispatched&limit=50')).items.filter(({ number }) => number !== mine.number);
  for (const { number, version } of todo.slice(0, 3)) {
    const signed = await ask(desk, `/tickets/${number}/sign`, { version });
    if (number === todo[0].number) await ask(desk, `/tickets/${number}/replies`, { text: '路灯已于今日下午修复，感谢您的反映。', version: signed.version });
  }
  const { version } = await ask(desk, `/tickets/${mine.number}/sign`, { version: mine.version });
  await ask(desk, `/tickets/${mine.number}/notes`, { text: '三班已出车，预计一小时到现场。', version });
  await desk.context().close();
  await sms(base, secret, FROM, '现在连旁边的灯也灭了，有人摔倒。');

  const PAGES = [
    { name: 'login', who: null, path: '/console/login', screens: ['phone', 'desk'] },
    { name: 'queue', who: staff('agent'), path: '/queue', screens: ['phone', 'tablet', 'desk'] },
    { name: 'ticket', who: staff('agent'), path: `/queue/${mine.number}`, screens: ['phone', 'tablet', 'desk'] },
    {
      name: 'composer',
      who: staff('agent'),
      path: `/tickets/${mine.number}`,
      screens: ['phone', 'tablet', 'desk'],
      ready: async (page) => {
        await page.keyboard.press('r');
        await page.waitForFunction(() => document.activeElement?.matches('[data-writing] textarea'));
        await page.keyboard.type('您好，抢修人员已到现场，预计今晚八点前恢复照明。');
        await page.getByText(SAVED).first().waitFor();
      },
      leave: (page) => drop(page, `/tickets/${mine.number}/drafts/reply`),
    },
    {
      name: 'call',
      who: staff('agent'),
      path: '/call',
      screens: ['phone', 'tablet', 'desk'],
      ready: async (page) => {
        await page.locator('input[name="from"]').fill(FROM);
        await page.locator('input[name="caller-name"]').fill('李女士');
        await page.locator('textarea[name="text"]').fill('解放路128号楼道里有很浓的煤气味，一位老人说头晕。');
        await page.locator('input[name="place"]').fill('解放路128号三单元');
        await page.locator('[data-emergency]').first().waitFor();
        await page.locator('[data-history] li').first().waitFor();
        await page.keyboard.press('F6');
        await page.getByText(SAVED).first().waitFor();
      },
      leave: (page, address) => drop(page, `/call-drafts/${address.split('/').pop()}`),
    },
    { name: 'desk', who: handler, path: '/desk', screens: ['phone', 'desk'] },
    {
      name: 'desk-answer',
      who: handler,
      path: `/desk/${mine.number}`,
      screens: ['phone', 'tablet', 'desk'],
      ready: async (page) => {
        await page.locator('footer button').first().waitFor();
        await page.keyboard.press('r');
        await page.locator('textarea').fill('两处路灯已全部修复并复查，感谢您的反映。');
        await page.getByText(SAVED).first().waitFor();
      },
      leave: (page) => drop(page, `/tickets/${mine.number}/drafts/reply`),
    },
    { name: 'health', who: staff('supervisor'), path: '/health', screens: ['phone', 'tablet', 'desk'], ready: (page) => page.locator('[data-adds-up]').waitFor() },
    { name: 'quarantine', who: staff('supervisor'), path: '/health?tab=quarantine', screens: ['phone', 'desk'] },
    { name: 'rule-sets', who: staff('supervisor'), path: '/rule-sets', screens: ['phone', 'desk'] },
    { name: 'admin', who: staff('admin'), path: '/admin', screens: ['phone', 'tablet', 'desk'] },
    { name: 'audit', who: staff('admin'), path: '/admin?tab=audit', screens: ['desk'] },
    { name: 'channels', who: staff('admin'), path: '/admin?tab=channels', screens: ['desk'] },
  ];

  for (const language of ['zh-CN', 'en']) {
    for (const theme of ['light', 'dark']) {
      for (const { name, who, path, screens, ready, leave } of PAGES) {
        const page = await open({ language, theme, screen: SCREENS[screens[0]] });
        if (who) await logIn(page, base, who, path);
        else await page.goto(`${base}${path}`);
        await page.locator('[data-page-heading]').first().waitFor({ state: 'attached' });
        await page.waitForLoadState('networkidle');
        if (ready) await ready(page);
        for (const screen of screens) {
          await page.setViewportSize(SCREENS[screen]);
          await page.waitForLoadState('networkidle');
          const file = `${name}-${language}-${theme}-${screen}.png`;
          await page.screenshot({ path: `${folder}/${file}` });
          pictures.push(file);
        }
        const address = page.url();
        await page.goto('about:blank');
        if (leave) await leave(page, address);
        await page.context().close();
      }
    }
    // The citizen's pages: the form, and what became of it.
    const page = await open({ language, screen: SCREENS.phone });
    await page.goto(`${base}/`);
    await page.locator('[name="text"]').fill(language === 'en' ? 'The street light in Zhongshan Road has been out since Monday.' : '中山路的路灯从周一起就不亮了，请派人维修。');
    await page.screenshot({ path: `${folder}/form-${language}.png` });
    await page.locator('input[name="photos"]').setInputFiles({ name: 'light.png', mimeType: 'image/png', buffer: Buffer.from(PHOTO, 'base64') });
    await page.locator('form').filter({ has: page.locator('[name="text"]') }).locator('[type="submit"]').first().click();
    const number = (await page.locator('#ticket-number').innerText()).trim();
    const code = (await page.locator('#query-code').innerText()).trim();
    await page.goto(`${base}/track`);
    await page.locator('[name="number"]').fill(number);
    await page.locator('[name="code"]').fill(code);
    await page.locator('form').filter({ has: page.locator('[name="number"]') }).locator('[type="submit"]').first().click();
    await page.waitForLoadState();
    await page.screenshot({ path: `${folder}/track-${language}.png` });
    pictures.push(`form-${language}.png`, `track-${language}.png`);
    await page.context().close();
  }
  return { pictures };
});
