"""SandboxFusion's own Python SDK, unmodified, against a Glovebox that serves at GLOVEBOX_URL."""
import asyncio
import base64
import os
from concurrent.futures import ThreadPoolExecutor

import sandbox_fusion
from sandbox_fusion import (RunCodeRequest, RunJupyterRequest, SummaryMapping, run_code, run_code_async, run_jupyter,
                            summary_run_code_result)

sandbox_fusion.set_endpoint(os.environ['GLOVEBOX_URL'])


def python(code, **more):
    return run_code(RunCodeRequest(code=code, language='python', **more), max_attempts=1)


def a_program_reads_prints_and_leaves_files():
    data = base64.b64encode(b'a,b\n1,2\n3,4\n').decode()
    code = "import pandas as pd\ndf = pd.read_csv('in/data.csv')\nprint(input(), df.a.sum())\ndf.to_csv('out.csv')"
    done = python(code, stdin='hey', files={'in/data.csv': data}, fetch_files=['out.csv', 'absent'])
    assert (done.status, done.run_result.stdout, done.run_result.return_code) == ('Success', 'hey 4\n', 0), done
    assert base64.b64decode(done.files['out.csv']) == b',a,b\n0,1,2\n1,3,4\n' and 'absent' not in done.files, done


def a_failure_is_the_programs():
    done = python('import sys; print(1); sys.exit(3)')
    assert (done.status, done.run_result.status, done.run_result.return_code) == ('Failed', 'Finished', 3), done
    done = python('1/0')
    assert done.run_result.return_code == 1 and 'ZeroDivisionError' in done.run_result.stderr, done
    assert summary_run_code_result(done, SummaryMapping(RunFailed='failed')) == 'failed'
    done = python('x = [bytearray(1 << 20) for _ in range(1 << 14)]')
    assert done.status == 'Failed' and done.run_result.return_code in (1, 137), done


def time_is_a_limit():
    for code in ('while True: pass', 'import time; time.sleep(3600)'):
        done = python(code, run_timeout=0.5)
        assert (done.run_result.status, done.run_result.return_code) == ('TimeLimitExceeded', None), done
    assert summary_run_code_result(done, SummaryMapping(RunTimeout='late')) == 'late'


def javascript_runs():
    done = run_code(RunCodeRequest(code='console.log(6 * 7)', language='nodejs'), max_attempts=1)
    assert done.run_result.stdout == '42\n', done


def what_is_not_there_is_refused():
    for request in (RunCodeRequest(code='1', language='cpp'),
                    RunCodeRequest(code='1', language='python', files={'../x': ''}),
                    RunCodeRequest(code='1', language='python', files={'x': 'no base64'}),
                    RunCodeRequest(code='1', language='python', run_timeout=-1)):
        try:
            done = run_code(request, max_attempts=1)
        except Exception as error:
            assert '422' in str(error), error
        else:
            raise AssertionError(done)


def cells_share_an_interpreter():
    cells = ['a = 123', 'a', 'print(a)', 'import sys; _ = sys.stderr.write("oops")', 'raise RuntimeError("no")',
             'import matplotlib.pyplot as plt; _ = plt.plot([1, 2]); plt.show()', 'open("left.txt", "w").write(str(a))']
    done = run_jupyter(RunJupyterRequest(cells=cells, fetch_files=['left.txt']), max_attempts=1)
    assert done.status == 'Success' and len(done.cells) == len(cells), done
    assert done.cells[1].display == [{'text/plain': '123'}] and done.cells[2].stdout == '123\n', done
    assert done.cells[3].stderr == 'oops' and done.cells[4].error[0]['ename'] == 'RuntimeError', done
    assert base64.b64decode(done.cells[5].display[0]['image/png']).startswith(b'\x89PNG'), done
    assert done.files == {'left.txt': base64.b64encode(b'123').decode()}, done
    late = run_jupyter(RunJupyterRequest(cells=['1', 'while True: pass', '2'], cell_timeout=0.5), max_attempts=1)
    assert late.driver.status == 'TimeLimitExceeded' and len(late.cells) == 2, late


def many_at_once_each_get_their_own():
    with ThreadPoolExecutor(64) as threads:
        results = threads.map(lambda n: (n, python(f'print({n} ** 2)')), range(200))
        assert all(done.run_result.stdout == f'{n ** 2}\n' for n, done in results)

    async def both():
        requests = [RunCodeRequest(code=f'print({n})', language='python') for n in range(8)]
        return await asyncio.gather(*(run_code_async(request) for request in requests))
    assert [done.run_result.stdout for done in asyncio.run(both())] == [f'{n}\n' for n in range(8)]


for test in (a_program_reads_prints_and_leaves_files, a_failure_is_the_programs, time_is_a_limit, javascript_runs,
             what_is_not_there_is_refused, cells_share_an_interpreter, many_at_once_each_get_their_own):
    test()
    print('ok', test.__name__, flush=True)
