import { describe, expect, test } from 'vitest';
import { createTemplates, TemplateError } from '../../src/provisioning/liquid.ts';

const templates = createTemplates(
  new Map([
    ['GREETING.md.liquid', 'Hello {{ agent_name }}.\n'],
    ['parts/greeting.liquid', 'Hi\n{{ name }}'],
    ['parts/endless.liquid', "{% render 'parts/endless' %}"],
    ['.secret.liquid', 'hidden'],
  ]),
);
const SECRET = 'the-value-of-a-variable';
const variables = { agent_name: SECRET, board_name: null, lines: ['a', 'b'], is_board_lead: true };
const render = (source: string) => templates.renderSource(source, 'soulTemplate', variables);

function failureOf(source: string): TemplateError {
  try {
    render(source);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('The template was accepted.');
}

describe('templates', () => {
  test.each([
    ['{{ agent_name | upcase }}', SECRET.toUpperCase()],
    ['{{ board_name }}|{{ board_name | default: "none" }}', '|none'],
    ['{% for line in lines %}{{ forloop.index }}{{ line }} {% endfor %}', '1a 2b '],
    ['{% if is_board_lead %}lead{% else %}worker{% endif %}', 'lead'],
    ['{{ is_board_lead }} {{ lines }} {{ lines | size }} {{ nil }}', 'true ab 2 '],
    ['{% capture x %}<{{ agent_name }}>{% endcapture %}{{ x }}{{ x | size }}', `<${SECRET}>${SECRET.length + 2}`],
    ["{% render 'parts/greeting', name: 'you' %}", 'Hi\nyou'],
    ['{% render "parts/greeting" with lines[0] as name %}', 'Hi\na'],
    ['{% raw %}{{ x }}{% endraw %}', '{{ x }}'],
    ['{% assign constructor = "x" %}{% assign __proto__ = "y" %}{{ constructor }}', 'x'],
  ])('%s', (source, text) => {
    expect(render(source)).toBe(text);
    expect(({} as Record<string, unknown>).y).toBeUndefined();
  });

  test('of the folder are rendered by name', () => {
    expect(templates.has('GREETING.md')).toBe(true);
    expect(templates.render('GREETING.md', { agent_name: 'Fox' })).toBe('Hello Fox.\n');
    expect(() => templates.render('OTHER.md', {})).toThrow('There is no template OTHER.md.liquid.');
  });

  test('of the folder are all parsed at the start', () => {
    const broken = new Map([['main/TOOLS.md.liquid', 'x\n{% if a %}']]);
    expect(() => createTemplates(broken)).toThrow(
      'Line 2 of the template main/TOOLS.md.liquid has a tag that is never closed: {% if a %}.',
    );
  });
});

describe('an error names template, line and variable', () => {
  test.each<[source: string, line: number | null, variable: string | null, message: string]>([
    [
      'x\n\n{{ agnet_name }}',
      3,
      'agnet_name',
      'Line 3 of the template soulTemplate uses the unknown variable agnet_name.',
    ],
    ['{{ nope | default: "x" }}', 1, 'nope', 'uses the unknown variable nope.'],
    ['x\n{% if nope %}x{% endif %}', 2, 'nope', 'uses the unknown variable nope.'],
    ['{% liquid\n  echo nope\n%}', 2, 'nope', 'uses the unknown variable nope.'],
    ['{{ agent_name.length_ }}', 1, 'agent_name.length_', 'uses the unknown variable agent_name.length_.'],
    [
      "{% render 'parts/greeting' %}",
      2,
      'name',
      'Line 2 of the template parts/greeting.liquid uses the unknown variable name.',
    ],
    ['\n{{ agent_name | shout }}', 2, null, 'uses the unknown filter shout.'],
    ['\n{% frob %}', 2, null, 'has a tag "frob" that does not exist or does not belong there.'],
    ['{% endif %}', 1, null, 'has a tag "endif" that does not exist or does not belong there.'],
    ['\n{% if agent_name %}\nx', 2, null, 'has a tag that is never closed: {% if agent_name %}.'],
    ['\n{{ agent_name', 2, null, 'has an output that is never closed: {{ agent_name.'],
    [
      '{{ "%" | url_decode }}',
      1,
      null,
      'is not valid Liquid, or gives a filter or tag something that it cannot work with.',
    ],
    ['x'.repeat(100_001), null, null, 'The template soulTemplate is longer than 100000 characters.'],
  ])('%#', (source, line, variable, message) => {
    const error = failureOf(source);
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ line, variable });
  });

  test.each([
    ['{{ lines[agent_name] }}', 'lines'],
    ['{{ agent_name[agent_name] }}', 'agent_name'],
    ['{{ [agent_name] }}', null],
    ['{{ lines | where_exp: "x", agent_name }}', null],
    ['{{ agent_name | minus: agent_name | append }}', null],
  ])('but never the value of a variable: %s', (source, variable) => {
    const error = failureOf(source);
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(SECRET);
    expect(error.variable).toBe(variable);
  });
});

describe('the sandbox', () => {
  test.each([
    "{% render '../GREETING.md' %}",
    "{% render './parts/greeting', name: 'x' %}",
    "{% render '/etc/passwd' %}",
    "{% render '.secret' %}",
    "{% render 'parts/../parts/greeting', name: 'x' %}",
    "{% render 'parts/missing' %}",
    "{% render 'constructor' %}",
    "{% render '__proto__' %}",
    '{% render agent_name %}',
    '{% render parts/greeting %}',
    '{% assign x = "parts/greeting" %}{% render x, name: "x" %}',
    '{% render "parts/{{ agent_name }}" %}',
    "{% include 'parts/greeting' %}",
    "{% layout 'parts/greeting' %}",
    '{{ constructor }}',
    '{{ __proto__ }}',
    '{{ agent_name.constructor }}',
    '{{ lines.constructor.constructor }}',
    '{{ lines["__proto__"] }}',
    '{{ toString }}',
    '{{ process.env }}',
  ])('refuses %s', (source) => {
    expect(failureOf(source)).toBeInstanceOf(TemplateError);
  });

  test.each([
    [
      'a long loop',
      '{% for i in (1..900) %}{% for j in (1..900) %}{% for k in (1..900) %}{% endfor %}{% endfor %}{% endfor %}',
    ],
    ['a huge range', '{% for i in (1..100000000) %}x{% endfor %}'],
    ['doubling text', '{% assign x = "xxxx" %}{% for i in (1..60) %}{% assign x = x | append: x %}{% endfor %}'],
    ['much output', `{% for i in (1..100000) %}${'x'.repeat(1000)}{% endfor %}`],
    [
      'captures of captures',
      `{% capture a %}{% for i in (1..100000) %}${'x'.repeat(1000)}{% endfor %}{% endcapture %}{% if a == 'y' %}{% endif %}`,
    ],
    ['a partial that renders itself', "{% render 'parts/endless' %}"],
  ])('ends %s within a second', (_name, source) => {
    // Of the processor, which others may be using too.
    const before = process.threadCpuUsage();
    const error = failureOf(source);
    const { user, system } = process.threadCpuUsage(before);
    expect(error.message).toMatch(/takes longer than 1000 ms|makes too much text|renders itself/);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});
