# Writes the files of this folder that pandas, polars, DuckDB and pyarrow make of five hourly bars, beside the ones that came
# from elsewhere. The bars: 2024-01-02 14:30Z to 18:30Z, open k, high k + 1, low k - 0.5, close k + 0.5, volume 10 k, k = 1 to 5.
#
#   python3 -m venv .deps/bars && .deps/bars/bin/pip install pandas polars duckdb pyarrow
#   cd services/store/tests/it/columnar_cases && ../../../../../.deps/bars/bin/python make_more.py
import datetime as dt
import decimal
import os

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

K = range(1, 6)
TIMES = [dt.datetime(2024, 1, 2, 13 + k, 30, tzinfo=dt.timezone.utc) for k in K]
PRICES = {"open": [float(k) for k in K], "high": [k + 1.0 for k in K], "low": [k - 0.5 for k in K], "close": [k + 0.5 for k in K]}
VOLUME = [10 * k for k in K]


def write(name, time, time_name="timestamp", volume=None, price_type=pa.float64(), **options):
    columns = {time_name: time}
    for role, values in PRICES.items():
        if pa.types.is_decimal(price_type):
            values = [decimal.Decimal(str(value)) for value in values]
        columns[role] = pa.array(values, price_type) if not pa.types.is_float16(price_type) else pa.array(values, pa.float64()).cast(price_type)
    columns["volume"] = volume if volume is not None else pa.array(VOLUME, pa.int64())
    pq.write_table(pa.table(columns), f"{name}.parquet", **options)


def utc(unit, zone="UTC"):
    return pa.array(TIMES, pa.timestamp(unit, zone))


seconds = [int(time.timestamp()) for time in TIMES]
write("arrow_timestamp_s", utc("ms").cast(pa.timestamp("s", "UTC")))
write("arrow_timestamp_ns", utc("ns"))
write("arrow_offset_zone", utc("us", "+05:30"))
write("arrow_decimal256", utc("us"), price_type=pa.decimal256(40, 10))
write("arrow_decimal_small", utc("us"), price_type=pa.decimal128(7, 2), store_decimal_as_integer=True)
write("arrow_float16_all", utc("us"), price_type=pa.float16())
write("arrow_uint8_volume", utc("us"), volume=pa.array(VOLUME, pa.uint8()))
write("arrow_int8_volume", utc("us"), volume=pa.array(VOLUME, pa.int8()))
write("arrow_uint16_volume", utc("us"), volume=pa.array(VOLUME, pa.uint16()))
write("arrow_decimal_volume", utc("us"), volume=pa.array([decimal.Decimal(v) for v in VOLUME], pa.decimal128(38, 18)))
write("arrow_int64_ms", pa.array([s * 1_000 for s in seconds], pa.int64()))
write("arrow_int64_ns", pa.array([s * 1_000_000_000 for s in seconds], pa.int64()))
write("arrow_int32_s", pa.array(seconds, pa.int32()))
write("arrow_uint32_s", pa.array(seconds, pa.uint32()))
write("arrow_uint64_us", pa.array([s * 1_000_000 for s in seconds], pa.uint64()))
write("arrow_float64_s", pa.array([float(s) for s in seconds], pa.float64()))
write("arrow_dictionary_timestamp", pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, 4], pa.int16()), utc("us")))
write("arrow_string_view_time", pa.array([time.isoformat() for time in TIMES], pa.string_view()))
write("arrow_binary_time", pa.array([time.isoformat().encode() for time in TIMES], pa.binary()))
write("arrow_other_time_name", utc("us"), time_name="bucket_start")
write("arrow_byte_stream_split", utc("us"), use_dictionary=False, use_byte_stream_split=["open", "high", "low", "close"])
write("arrow_page_v2_delta", utc("us"), use_dictionary=False, data_page_version="2.0", column_encoding={"timestamp": "DELTA_BINARY_PACKED", "volume": "DELTA_BINARY_PACKED"})
write("arrow_snappy_hadoop_lz4", utc("us"), compression="snappy")
write("arrow_list_price", utc("us"), volume=pa.array([[v] for v in VOLUME]))
write("arrow_time_of_day", pa.array([dt.time(time.hour, 30) for time in TIMES], pa.time64("us")))
write("arrow_empty_time", pa.array([TIMES[0], None, *TIMES[2:]], pa.timestamp("us", "UTC")))

# pandas: the index is a column or only metadata, categories, nullable types.
frame = pd.DataFrame({**PRICES, "volume": pd.array(VOLUME, dtype="Int64")}, index=pd.DatetimeIndex(TIMES, name="Date"))
frame.to_parquet("pandas_named_index.parquet")
frame.reset_index().astype({"volume": "UInt32"}).to_parquet("pandas_nullable_uint32.parquet", index=False)
frame.reset_index().to_feather("pandas_zstd.feather", compression="zstd")
frame.reset_index().to_feather("pandas_lz4.feather", compression="lz4")
frame.reset_index().astype({"Date": "category"}).to_feather("pandas_category.feather")

# polars: string views, lz4 and zstd, Arrow files and streams.
polars = pl.DataFrame({"timestamp": TIMES, **PRICES, "volume": VOLUME})
polars.write_parquet("polars.parquet")
polars.with_columns(pl.col("timestamp").cast(pl.Datetime("ns", "UTC")), pl.col("open").cast(pl.Decimal(18, 4)), pl.lit("AAPL").cast(pl.Categorical).alias("symbol")).write_parquet("polars_decimal_category.parquet", compression="lz4")
polars.write_ipc("polars.arrow", compression="lz4")
polars.write_ipc_stream("polars_stream.arrow")
polars.with_columns(pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%SZ")).write_ipc("polars_text_time.arrow")

# DuckDB: decimals and unsigned numbers as SQL has them.
duckdb.sql("SET TimeZone = 'UTC'")
select = "SELECT timestamp, open::DECIMAL(12, 3) AS open, high::FLOAT AS high, low::DECIMAL(38, 6) AS low, close, volume::{} AS volume FROM polars"
for kind in ["UTINYINT", "HUGEINT", "UBIGINT"]:
    duckdb.sql(f"COPY ({select.format(kind)}) TO 'duckdb_{kind.lower()}.parquet' (FORMAT parquet)")

# Spark: 96-bit times without a zone, in parts, with the marks that it leaves.
os.makedirs("spark_parts", exist_ok=True)
table = pa.table({"timestamp": pa.array([time.replace(tzinfo=None) for time in TIMES], pa.timestamp("ns")), **PRICES, "volume": pa.array(VOLUME, pa.int64())})
pq.write_table(table.slice(0, 3), "spark_parts/part-00000-b3.snappy.parquet", flavor="spark", use_deprecated_int96_timestamps=True)
pq.write_table(table.slice(3), "spark_parts/part-00001-b3.snappy.parquet", flavor="spark", use_deprecated_int96_timestamps=True)
open("spark_parts/_SUCCESS", "w").close()
open("spark_parts/.part-00000-b3.snappy.parquet.crc", "wb").write(b"crc\0")
feather.write_feather(table, "version_1.feather", version=1)

# Daily bars: dates in milliseconds, and the midnights of New York that yfinance gives.
days = [dt.date(2024, 1, day) for day in [2, 3, 4, 5, 8]]
write("daily_date64", pa.array([dt.datetime(day.year, day.month, day.day) for day in days], pa.date64()), time_name="Date")
midnights = pd.DatetimeIndex([pd.Timestamp(day) for day in days]).tz_localize("America/New_York")
frame.set_index(pd.DatetimeIndex(midnights, name="Date")).to_parquet("daily_new_york_midnight.parquet")
write("daily_int_digits", pa.array([20240102, 20240103, 20240104, 20240105, 20240108], pa.int32()), time_name="Date")
