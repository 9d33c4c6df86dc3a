// A whole ticket by keyboard alone: taken, dispatched anew by pinyin initials, signed, asked about, answered, noted, closed,
// the closing undone and done again. The mouse is never used; the text is typed.
//
// {staff, secret: of the SMS account, from: a citizen's telephone, screenshots?: folder}; returns what each step saw
import { sms } from './citizen.mjs';
import { journey, logIn, SCREENS, theme } from './harness.mjs';

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, from } = given;
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  await sms(base, secret, from, '西湖区文三路的路灯坏了，晚上很黑');

  // A supervisor may do every step of the way, from the desk's to the department's.
  const page = await open({ expected: [/status of 401/] });
  await logIn(page, base, staff('supervisor'), '/queue');
  const work = page.locator('[data-pane="2"]');
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  const state = (word) => work.locator('header').getByText(word).first().waitFor();
  const writing = () => page.waitForFunction(() => document.activeElement?.matches('[data-writing] textarea:not([readonly])'));
  const dialog = page.getByRole('dialog');

  await page.locator('[data-pane="1"] [data-row-focus]').first().waitFor();
  await press('j', 'Enter');
  await work.locator('h2').waitFor();
  await page.waitForURL(/\/queue\/\d{13,}$/);
  const number = page.url().split('/').pop();
  await press('2');
  await page.waitForFunction(() => document.activeElement?.dataset.pane === '2');

  await press('a');
  await work.locator('header').getByText('→').waitFor();

  // Why: the sentence, and the phrases marked in the text.
  await press('w');
  await page.locator('[data-pane="3"]').getByText('候选事项和得分').waitFor();
  await work.locator('mark').first().waitFor();
  const marked = await work.locator('mark').allInnerTexts();
  await judge(page, 'decision');
  await picture(page, 'decision');

  // Dispatched anew by the initials of a department.
  await press('d');
  await dialog.waitFor();
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  const first = await page.evaluateHandle(() => document.activeElement);
  // Past what the rules suggest.
  const suggested = await dialog.getByRole('list', { name: '规则建议' }).getByRole('button').count();
  for (let step = 0; step <= suggested; step += 1) await press('Tab');
  await page.waitForFunction((before) => document.activeElement?.tagName === 'INPUT' && document.activeElement !== before, first);
  await press('Control+a');
  await page.keyboard.type('yllh');
  await page.locator('[role="option"][data-highlighted]').filter({ hasText: '园林' }).waitFor();
  await judge(page, 'dispatch');
  await picture(page, 'dispatch');
  await press('Enter', 'Tab');
  await page.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
  await page.keyboard.type('树枝压坏了路灯，先修剪');
  await press('Control+Enter');
  await dialog.waitFor({ state: 'detached' });
  await work.locator('header').getByText('园林').waitFor();

  await press('s');
  await state('办理中');

  // An internal note looks like no answer does, and never says that it is sent.
  await press('n');
  await writing();
  await page.keyboard.type('已电话联系施工方');
  const note = await page.locator('[data-writing="note"] button:visible').first().innerText();
  await judge(page, 'note');
  await picture(page, 'note');
  await press('Control+Enter');
  await work.locator('[data-message="note"]').getByText('已电话联系施工方').waitFor();
  await page.locator('[data-writing]').waitFor({ state: 'detached' });

  await press('r');
  await writing();
  await page.keyboard.type('路灯已经修好，感谢您的反映。');
  await page.locator('[data-length]').waitFor();
  const length = await page.locator('[data-length]').innerText();
  const button = await page.locator('[data-writing="reply"] button').filter({ hasText: '…' }).innerText();
  await judge(page, 'reply');
  await picture(page, 'reply');
  await press('Control+Enter');
  await work.locator('[data-message="reply"]').getByText('路灯已经修好').waitFor();
  await page.locator('[data-writing]').waitFor({ state: 'detached' });
  await work.locator('[data-message="reply"]').getByText(/已发出|已送达/).waitFor();

  await press('e');
  await dialog.waitFor();
  await press('Control+Enter');
  await state('已归档');
  await press('u');
  await work.locator('header').getByText('已归档').waitFor({ state: 'detached' });
  await press('e');
  await dialog.waitFor();
  await press('Control+Enter');
  await state('已归档');
  await press('h');
  await page.locator('[data-pane="3"]').getByText('撤销归档').waitFor();
  const history = await page.locator('[data-pane="3"] ol li p:first-child span').allInnerTexts();

  // The map names the keys of this page; the palette finds them by pinyin.
  await press('2', '?');
  const map = await dialog.innerText();
  await press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.context().close();

  const overflow = [];
  for (const language of ['zh-CN', 'en']) {
    const view = await open({ language, expected: [/status of 401/] });
    await logIn(view, base, staff('agent'), `/tickets/${number}`);
    await view.locator('[data-message="reply"]').waitFor();
    for (const shade of ['light', 'dark']) {
      await theme(view, shade);
      for (const [name, screen] of Object.entries(SCREENS)) {
        await view.setViewportSize(screen);
        if (await view.evaluate(() => document.documentElement.scrollWidth > innerWidth)) overflow.push(`${language} ${name}`);
        await picture(view, `ticket-${language}-${shade}-${name}`);
        // Every language and theme on the desk's screen; each of both once on the phone's.
        if (name === 'desk' || (name === 'phone' && (language === 'en') === (shade === 'dark'))) await judge(view, `ticket ${language} ${shade} ${name}`);
      }
    }
    if (language === 'en') {
      // Beside the ticket on a wide screen, over it on a narrow one.
      await view.setViewportSize(SCREENS.tablet);
      await view.keyboard.press('w');
      await view.getByRole('dialog').waitFor();
      await judge(view, 'context');
    }
    await view.context().close();
  }
  return { number, marked, note, length, button, history, map, overflow };
});
