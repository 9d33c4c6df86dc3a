// The frame of the console: login in both languages and themes, lockout in words, the shell by keyboard alone, the palette
// and the map of keys, the session that ends under an open page, and nothing that axe or the content security policy minds.
//
// {staff, screenshots?: folder}; returns
// {titles, overflow, wrong, kept, focus, palette, language, lockout, lasting, other, mark}, what each step saw
import { journey, logIn, SCREENS } from './harness.mjs';

const REFUSED = [/status of 401/];

await journey(async ({ base, given, staff, open, judge }) => {
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  const agent = staff('agent');
  const titles = {};
  const overflow = [];

  for (const language of ['zh-CN', 'en']) {
    for (const theme of ['light', 'dark']) {
      for (const [name, screen] of Object.entries(SCREENS)) {
        // Every language and theme on the desk's screen; each of both once on the others.
        if (name !== 'desk' && (language === 'zh-CN') !== (theme === 'light')) continue;
        const where = `${language} ${theme} ${name}`;
        const page = await open({ language, theme, screen, expected: REFUSED });
        await page.goto(`${base}/console/`);
        await page.locator('input[name="login"]').waitFor();
        await judge(page, `login ${where}`);
        await picture(page, `login-${language}-${theme}-${name}`);
        await logIn(page, base, agent, '/me');
        await page.locator('[data-page-heading]').waitFor();
        await judge(page, `settings ${where}`);
        await picture(page, `settings-${language}-${theme}-${name}`);
        if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) overflow.push(where);
        if (name === 'desk') {
          titles[language] = await page.title();
          await page.keyboard.press('Control+k');
          await page.getByRole('dialog').waitFor();
          await judge(page, `palette ${where}`);
          await picture(page, `palette-${language}-${theme}`);
          await page.keyboard.press('Escape');
          await page.getByRole('dialog').waitFor({ state: 'detached' });
          await page.keyboard.press('?');
          await page.getByRole('dialog').waitFor();
          await judge(page, `keys ${where}`);
          await picture(page, `keys-${language}-${theme}`);
        }
        await page.context().close();
      }
    }
  }

  // A wrong password is said in words, and the login stays.
  const page = await open({ expected: REFUSED });
  const feeds = [];
  await page.routeWebSocket(/\/api\/v1\/feed/, (socket) => {
    socket.connectToServer();
    feeds.push(socket);
  });
  await page.goto(`${base}/console/queue`);
  await page.locator('input[name="login"]').fill(agent.login);
  await page.locator('input[name="password"]').fill('wrong password');
  await page.keyboard.press('Enter');
  const wrong = await page.getByRole('alert').innerText();
  await judge(page, 'login refused');
  const kept = await page.locator('input[name="login"]').inputValue();

  // From here on by keyboard alone: the password field has the focus, and the page that was asked for opens.
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'password');
  await page.keyboard.type(agent.password);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${base}/console/queue`);
  await page.locator('[data-page-heading]').waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('href') ?? document.activeElement?.textContent?.trim() ?? '');
  const focus = [];
  // From the top of the page, wherever the page itself has put the focus.
  await page.evaluate(() => {
    const top = document.createElement('span');
    top.tabIndex = -1;
    document.body.prepend(top);
    top.focus();
    top.remove();
  });
  for (let step = 0; step < 3; step += 1) {
    await page.keyboard.press('Tab');
    focus.push(await focused());
  }
  await page.keyboard.press('g');
  await page.keyboard.press('m');
  await page.waitForURL(`${base}/console/me`);
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-page-heading'));
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').locator('input').waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  await page.keyboard.type('20261122000017');
  await page.waitForFunction(() => document.querySelector('[role="option"]')?.textContent.includes('20261122000017'));
  const palette = await page.getByRole('option').first().innerText();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  // The language changes in place.
  await page.getByRole('button', { name: 'English' }).click();
  await page.waitForFunction(() => document.documentElement.lang === 'en');
  await page.locator('[data-page-heading]').filter({ hasNotText: '我的设置' }).waitFor();
  const language = await page.locator('[data-page-heading]').innerText();

  // A login that is locked says so, for how long, and keeps the login.
  const locked = await open({ expected: [...REFUSED, /status of 429/] });
  const second = given.staff.filter(({ role }) => role === 'agent')[1];
  await locked.goto(`${base}/console/login`);
  await locked.locator('input[name="login"]').fill(second.login);
  let status = 401;
  while (status === 401) {
    await locked.locator('input[name="password"]').fill('wrong password');
    const answer = locked.waitForResponse((response) => response.request().method() === 'POST');
    await locked.keyboard.press('Enter');
    status = (await answer).status();
    // The form takes the next password once it has said what was wrong with this one.
    await locked.waitForFunction(() => document.activeElement?.matches('input[name="password"]') && !document.querySelector('[aria-busy]'));
  }
  await locked.getByRole('alert').filter({ hasText: '锁定' }).filter({ hasText: '分钟' }).waitFor();
  const lockout = { status, login: (await locked.locator('input[name="login"]').inputValue()) === second.login };
  await judge(locked, 'login locked');
  await picture(locked, 'login-locked');
  await locked.context().close();

  // The session ends elsewhere and the feed is cut: the console asks for the login over the page, and the page stays.
  await page.evaluate(() => (document.querySelector('[data-page-heading]').dataset.mark = 'the same page'));
  await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }));
  await feeds.at(-1).close({ code: 1012, reason: 'cut by the journey' });
  const renew = page.getByRole('dialog');
  await renew.locator('input[name="login"]').waitFor();
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'login');
  await judge(page, 'session ended');
  await picture(page, 'session-ended');
  await page.keyboard.press('Escape');
  const lasting = await renew.isVisible();
  await page.keyboard.type(staff('supervisor').login);
  await page.keyboard.press('Tab');
  await page.keyboard.type(staff('supervisor').password);
  await page.keyboard.press('Enter');
  const other = await renew.getByRole('alert').innerText();
  await renew.locator('input[name="login"]').fill(agent.login);
  await renew.locator('input[name="password"]').fill(agent.password);
  await page.keyboard.press('Enter');
  await renew.waitFor({ state: 'detached' });
  const mark = await page.locator('[data-page-heading]').getAttribute('data-mark');
  // Live again: the banner that said since when it was not is gone.
  await page.getByText('Not live since').waitFor({ state: 'detached' });
  return { titles, overflow, wrong, kept, focus, palette, language, lockout, lasting, other, mark };
});
