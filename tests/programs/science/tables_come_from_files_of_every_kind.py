"""Parquet, SQLite, old and open workbooks, compressed and marked up files are read and written."""
import io
import sqlite3

import pandas as pd

frame = pd.DataFrame({'city': ['Bern', 'Zürich', None], 'people': [134_794, 2**33, 7], 'share': [0.5, None, 1.25],
                      'day': pd.to_datetime(['2024-01-01 00:00', '2025-06-30 12:00', None]), 'big': [True, False, True]})
for compression in ('snappy', 'gzip', 'zstd', None):
    frame.to_parquet('t.parquet', compression=compression)
    again = pd.read_parquet('t.parquet')
    pd.testing.assert_frame_equal(again, frame)
print(pd.read_parquet('t.parquet', columns=['people']).people.sum())

with sqlite3.connect('t.db') as database:
    frame.drop(columns='day').to_sql('cities', database, index=False)
    print(pd.read_sql_query('SELECT city, people FROM cities WHERE people > 100 ORDER BY people DESC', database).to_dict('list'))
database.close()

for compression in ('gzip', 'bz2', 'xz', 'zip', 'zstd'):
    frame.to_csv(f't.{compression}', index=False, compression=compression)
    assert pd.read_csv(f't.{compression}', compression=compression).people.sum() == frame.people.sum(), compression
print(len(pd.read_excel('sales.xls')), len(pd.read_excel('cities.ods')), len(pd.read_excel('regions.xlsx')))
html = frame.to_html()
assert pd.read_html(io.StringIO(html))[0].people.sum() == frame.people.sum()
assert pd.read_xml(io.StringIO(frame.drop(columns='day').to_xml())).people.sum() == frame.people.sum()
print('whole')
