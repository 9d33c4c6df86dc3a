// The catalogues are complete, say the same, are used, and no text stands beside them.
import { NodeTypes, type TemplateChildNode } from '@vue/compiler-dom';
import { parse } from '@vue/compiler-sfc';
import { describe, expect, it } from 'vitest';

const catalogues = import.meta.glob<Record<string, unknown>>('../*/locales/*.json', { eager: true, import: 'default' });
const sources = import.meta.glob<string>(['../**/*.{vue,ts}', '!../**/*.test.ts', '!../api/schema.ts'], {
  eager: true,
  query: '?raw',
  import: 'default',
});

function flat(value: unknown, path: string): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, inner]) => flat(inner, path ? `${path}.${key}` : key));
}

function words(language: string): Map<string, string> {
  return new Map(
    Object.entries(catalogues)
      .filter(([path]) => path.endsWith(`/${language}.json`))
      .flatMap(([path, catalogue]) => flat(catalogue, path.split('/').at(-3) ?? '')),
  );
}

const chinese = words('zh-CN');
const english = words('en');
const variables = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([found]) => found).sort();

describe('the catalogues', () => {
  it('have the same keys in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
    expect(chinese.size).toBeGreaterThan(0);
  });

  it('name the same variables and leave nothing empty', () => {
    for (const [key, text] of chinese) {
      expect.soft(text.trim(), key).not.toBe('');
      expect.soft([...new Set(variables(text))], key).toEqual([...new Set(variables(english.get(key) ?? ''))]);
    }
  });

  it('are written in their language', () => {
    for (const [key, text] of english) {
      if (!key.startsWith('settings.languages.')) expect.soft(/\p{Script=Han}/u.test(text), key).toBe(false);
    }
  });
});

/** Every key that the sources name: literally, or as a pattern where a part is put in. */
function named(): { literal: Set<string>; patterns: RegExp[] } {
  const folders = [...new Set([...chinese.keys()].map((key) => key.split('.')[0]))].join('|');
  const literal = new Set<string>();
  const patterns: RegExp[] = [];
  for (const source of Object.values(sources)) {
    for (const [, key] of source.matchAll(new RegExp(`['"]((?:${folders})\\.[\\w.-]+)['"]`, 'g'))) if (key) literal.add(key);
    for (const [, key] of source.matchAll(new RegExp(`\`((?:${folders})\\.[^\`]*)\``, 'g'))) {
      if (key?.includes('${')) patterns.push(new RegExp(`^${key.replace(/\$\{[^}]*\}/g, '@').replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('@', '[^.]+')}$`));
    }
  }
  return { literal, patterns };
}

describe('the sources', () => {
  const { literal, patterns } = named();

  it('name only keys that there are', () => {
    // Names of commands and files look alike; a key is what is handed to t, te, $t or stands as a title.
    const asked = Object.entries(sources).flatMap(([path, source]) =>
      [...source.matchAll(/(?:\bte?|\$te?)\(\s*'([\w.-]+)'|\btitle: '([\w-]+\.[\w.-]+)'/g)].map(([, called, title]) => ({ path, key: called ?? title ?? '' })),
    );
    expect(asked.length).toBeGreaterThan(20);
    for (const { path, key } of asked) expect.soft(chinese.has(key), `${path}: ${key}`).toBe(true);
    for (const pattern of patterns) expect.soft([...chinese.keys()].some((key) => pattern.test(key)), String(pattern)).toBe(true);
  });

  it('use every key', () => {
    const idle = [...chinese.keys()].filter((key) => !literal.has(key) && !patterns.some((pattern) => pattern.test(key)));
    // Words of the API that pages show one by one as they come to need them.
    expect(idle.filter((key) => !key.startsWith('words.'))).toEqual([]);
  });

  it('hold no Chinese', () => {
    for (const [path, source] of Object.entries(sources)) {
      const code = source.replace(/\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->|(?<!:)\/\/.*$/gm, '');
      expect.soft(/\p{Script=Han}/u.exec(code)?.[0], path).toBeUndefined();
    }
  });
});

const TEXT_ATTRIBUTES = /^(label|title|text|hint|error|action|placeholder|alt|aria-label|aria-description|description|legend|empty|what)$/;

function inline(node: TemplateChildNode, found: string[]): string[] {
  if (node.type === NodeTypes.TEXT && /\p{L}{2}/u.test(node.content)) found.push(node.content.trim());
  if (node.type === NodeTypes.ELEMENT) {
    for (const attribute of node.props) {
      if (attribute.type === NodeTypes.ATTRIBUTE && TEXT_ATTRIBUTES.test(attribute.name) && /\p{L}{2}/u.test(attribute.value?.content ?? '')) {
        found.push(`${attribute.name}="${attribute.value?.content}"`);
      }
    }
    node.children.forEach((child) => inline(child, found));
  }
  return found;
}

function inlineTexts(source: string): string[] {
  return parse(source).descriptor.template?.ast?.children.flatMap((child) => inline(child, [])) ?? [];
}

describe('templates', () => {
  it('hold no text of their own', () => {
    const templates = Object.entries(sources).filter(([path]) => path.endsWith('.vue'));
    expect(templates.length).toBeGreaterThan(10);
    for (const [path, source] of templates) expect.soft(inlineTexts(source), path).toEqual([]);
  });

  it('would be caught', () => {
    expect(inlineTexts('<template><p>Hello <b title="There">{{ name }}</b></p></template>')).toEqual(['Hello', 'title="There"']);
  });
});
