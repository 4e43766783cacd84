#!/usr/bin/env python3
"""Fortran 77 to C by f2c, in the calling convention that C callers of BLAS and LAPACK write.

usage: fortran.py F2C OUT FILE.f…

WebAssembly checks signatures at every call, and C programs declare LAPACK's subroutines as `void f(…)` without the hidden
lengths of strings. So f2c's C is changed: subroutines return nothing, and lengths are passed to no function but `xerbla_`
(lapack_rest.c has it under another name); where a function wants one, it is taken of the string, which in every call is a literal.
"""
import os
import re
import subprocess
import sys
import tempfile

# -a: local variables live on the stack, as RECURSIVE wants. -A: prototypes. -R: REAL functions return float.
OPTIONS = ['-a', '-A', '-R', '-w', '-Nn802', '-Nx2000']
LENGTH = re.compile(r'\(\s*ftnlen\s*\)\s*\w+$|\w+_len$')


# What f2c does not read, as it is written in LAPACK.
RELATIONS = {'==': '.EQ.', '/=': '.NE.', '>=': '.GE.', '<=': '.LE.', '>': '.GT.', '<': '.LT.'}
DECLARATION = re.compile(r'(?i)((?:INTEGER|REAL|DOUBLE\s*PRECISION|COMPLEX(?:\*16)?|LOGICAL|CHARACTER(?:\*\S+?)?|EXTERNAL|INTRINSIC)\s*)'
                         r'((?:,\s*(?:INTENT\s*\([^)]*\)|EXTERNAL)\s*)*)::\s*(.*)')
SECTION = re.compile(r'(?i)(\w+)\(\s*([^:()]+?)\s*:\s*([^:]+?)\s*\)\s*=\s*(\w+)')
# The place of the largest: IMAXLD and IMAXLS are in lapack_f90.h.
MAXLOC = re.compile(r'(?i)MAXLOC\(\s*(\w+)\(\s*([^:]+?)\s*:\s*([^:]+?)\s*\)\s*,\s*1\s*\)')
# The inquiry functions' values for IEEE numbers, of what LAPACK asks.
INQUIRIES = {'d': {'HUGE': '1.7976931348623157D308'}, 's': {'HUGE': '3.40282347E38'}}


def statements(source):
    """The statements of fixed-form source: pairs of a label and a text."""
    found = []
    for line in source.splitlines():
        if line[:1] in tuple('cC*!') or not line.strip():
            continue
        if '!' in line and "'" not in line:
            line = line.split('!')[0].rstrip()
            if not line:
                continue
        if len(line) > 5 and line[5] not in ' 0' and not line[:5].strip():
            found[-1][1] += line[6:72].rstrip() if "'" not in found[-1][1] else line[6:72]
        else:
            found.append([line[:5].strip(), line[6:72].strip()])
    return found


def outside_strings(text, change):
    """Changes what of a statement is not inside quotes."""
    return "'".join(part if number % 2 else change(part) for number, part in enumerate(text.split("'")))


def spelled(text, kind):
    def change(part):
        part = re.sub(r'==|/=|>=|<=|>|<', lambda found: RELATIONS[found[0]], part)
        if kind == 'z':
            part = re.sub(r'(?i)\bAIMAG\b', 'DIMAG', re.sub(r'(?i)\bCONJG\b', 'DCONJG', part))
        part = MAXLOC.sub(lambda found: f'IMAXL{"DS"[kind in "sc"]}( {found[3]}-({found[2]})+1, {found[1]}( {found[2]} ) )', part)
        for name, value in INQUIRIES['d' if kind in 'dz' else 's'].items():
            part = re.sub(rf'(?i)\b{name}\s*\(\s*ZERO\s*\)', value, part)
        return part
    return outside_strings(re.sub(r'(?i)^RECURSIVE\s+', '', text), change)


def plain(source, kind):
    """Fortran 77 for what LAPACK has of Fortran 90: CYCLE, EXIT, `::`, relations, assignments to sections of vectors."""
    out, loops, label = [], [], 90000
    for number, text in statements(source):
        text = spelled(text, kind)
        if re.fullmatch(r'(?i)IMPLICIT\s*NONE', text):
            # The names that come in here are implicit integers.
            continue
        declared = DECLARATION.fullmatch(text)
        if declared:
            text = f'{declared[1]} {declared[3]}'
            if 'EXTERNAL' in declared[2].upper():
                out.append(['', text])
                text = f'EXTERNAL {declared[3]}'
        elif re.match(r'(?i)INTRINSIC\b', text):
            names = [name for name in re.split(r'[\s,]+', text[9:].strip()) if name.upper() not in ('HUGE', 'MAXLOC')]
            if not names:
                continue
            text = 'INTRINSIC ' + ', '.join(names)
        elif re.match(r'(?i)DO\s+WHILE\b|DO\s+[A-Z]\w*\s*=|DO$', text):
            label += 2
            loops.append(label)
            if re.fullmatch(r'(?i)DO', text):
                text = 'DO WHILE( .TRUE. )'
        elif re.match(r'(?i)DO\s+\d+', text):
            # A loop up to a labelled statement.
            loops.append(int(re.match(r'(?i)DO\s+(\d+)', text)[1]))
        elif re.fullmatch(r'(?i)END\s*DO', text):
            loop = loops.pop()
            out += [[str(loop), 'CONTINUE'], [number, text], [str(loop + 1), 'CONTINUE']]
            continue
        jump = re.fullmatch(r'(?i)(IF\s*\(.*\)\s*)?(CYCLE|EXIT)', text)
        if jump:
            loop = loops[-1] + (jump[2].upper() == 'EXIT')
            text = f'{jump[1] or ""}GO TO {loop}'
        section = SECTION.fullmatch(text)
        if section:
            label += 2
            out += [[number, f'DO {label} IFILL = {section[2]}, {section[3]}'], ['', f'{section[1]}( IFILL ) = {section[4]}'], [str(label), 'CONTINUE']]
            continue
        out.append([number, text])
        while number and loops and loops[-1] == int(number):
            loops.pop()
    return ''.join(wrapped(number, text) for number, text in out)


def wrapped(number, text):
    """A statement in fixed form, continued as often as its length wants."""
    parts = [text[at:at + 64] for at in range(0, len(text), 64)]
    return f'{number:<5} {parts[0]}\n' + ''.join(f'     ${part}\n' for part in parts[1:])


def closing(text, start):
    """The position of the parenthesis that closes the one at `start`."""
    depth = 0
    position = start
    while True:
        char = text[position]
        if char in '"\'':
            position += 1
            while text[position] != char:
                position += 2 if text[position] == '\\' else 1
        elif char == '(':
            depth += 1
        elif char == ')':
            depth -= 1
            if not depth:
                return position
        position += 1


def arguments(text):
    """Splits a list of arguments at its own commas."""
    parts, depth, begin, position = [], 0, 0, 0
    while position < len(text):
        char = text[position]
        if char in '"\'':
            position += 1
            while text[position] != char:
                position += 2 if text[position] == '\\' else 1
        depth += (char == '(') - (char == ')')
        if char == ',' and not depth:
            parts.append(text[begin:position])
            begin = position + 1
        position += 1
    return [*parts, text[begin:]]


def without_lengths(text):
    """Takes the lengths out of definitions, declarations and calls of Fortran functions."""
    out, position = [], 0
    for_definition = re.compile(r'(\w+_)\s*\(')
    while True:
        found = for_definition.search(text, position)
        if not found:
            return ''.join([*out, text[position:]])
        end = closing(text, found.end() - 1)
        inner = text[found.end():end]
        out.append(text[position:found.end()])
        taken = []
        if not found[1].startswith('xerbla'):
            kept = []
            for part in arguments(inner):
                word = ' '.join(part.split())
                if word == 'ftnlen':
                    continue
                declared = re.fullmatch(r'ftnlen (\w+_len)', word)
                if declared:
                    taken.append(declared[1])
                elif not LENGTH.search(word):
                    kept.append(part)
            inner = ','.join(kept)
        out.append(without_lengths(inner) + ')')
        position = end + 1
        body = re.match(r'\s*\{', text[position:])
        if body and taken:
            out.append(text[position:position + body.end()])
            position += body.end()
            rest = text[position:]
            following = rest[:rest.find('\n} /*')]
            for name in taken:
                if re.search(rf'\b{name}\b', following):
                    variable = re.search(rf'\b({name[:-4]}_*)\b', inner)[1]
                    out.append(f'\n    const ftnlen {name} = (ftnlen)__builtin_strlen({variable});')


def translated(f2c, path):
    with open(path, errors='replace') as file:
        source = plain(file.read(), os.path.basename(path)[0])
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, os.path.basename(path).rsplit('.', 1)[0] + '.f')
        with open(name, 'w') as file:
            file.write(source)
        done = subprocess.run([f2c, *OPTIONS, name], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f'{path}: {done.stderr[-2000:]}')
        with open(name[:-1] + 'c') as file:
            text = file.read()
    text = re.sub(r'(?s)^/\*.*?\*/\n', '', text)
    text = without_lengths(text)
    # Subroutines return nothing; alternate returns are not used.
    text = re.sub(r'/\* Subroutine \*/ int\s+(\w+)(?=\s*\()', r'void \1', text)
    # f2c puts two underscores behind a name that has one; every C caller writes one.
    text = re.sub(r'\b([a-z]\w*_\w*[a-z0-9])__\b', r'\1_', text)
    return re.sub(r'\breturn 0;', 'return;', text)


def main():
    f2c, out, *paths = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    failed = 0
    for path in paths:
        try:
            text = translated(f2c, path)
        except SystemExit as problem:
            print(problem)
            failed += 1
            continue
        with open(os.path.join(out, os.path.basename(path).rsplit('.', 1)[0] + '.c'), 'w') as file:
            file.write(text)
    sys.exit(failed != 0)


if __name__ == '__main__':
    main()
