//! Columns of any type and with any cells: they are read or refused, and nothing crashes.

use std::sync::Arc;

use arrow_array::types::{
    Int16Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::*;
use arrow_buffer::i256;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{Field, Schema};
use market::{DayBoundary, Instrument, Timeframe};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use store::files::{Expected, FileBars, FileError, Mapping, read};

/// Numbers at which a conversion may break, beside those that are times of our age.
fn any_cell() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        Just(None),
        Just(Some(i64::MIN)),
        Just(Some(i64::MAX)),
        any::<i64>().prop_map(Some),
        (1_577_836_800_i64..1_609_459_200).prop_map(Some),
        (1_577_836_800_000_i64..1_609_459_200_000).prop_map(Some),
        (19_000_101_i64..21_001_231).prop_map(Some),
        (-5_i64..300).prop_map(Some),
    ]
}

/// Types of columns that [`column`] makes.
const KINDS: usize = 29;

/// A column of the type with number `kind`.
fn column(kind: usize, cells: &[Option<i64>]) -> ArrayRef {
    match kind {
        0..=7 => whole_column(kind, cells),
        8..=13 => time_column(kind, cells),
        14..=16 => decimal_column(kind, cells),
        17..=23 => text_column(kind, cells),
        _ => odd_column(kind, cells),
    }
}

fn whole_column(kind: usize, cells: &[Option<i64>]) -> ArrayRef {
    let small = || cells.iter().map(|cell| cell.map(|cell| cell as i32));
    match kind {
        0 => Arc::new(Int8Array::from_iter(small().map(|c| c.map(|c| c as i8)))),
        1 => Arc::new(Int16Array::from_iter(small().map(|c| c.map(|c| c as i16)))),
        2 => Arc::new(Int32Array::from_iter(small())),
        3 => Arc::new(Int64Array::from_iter(cells.iter().copied())),

        4 => Arc::new(UInt8Array::from_iter(small().map(|c| c.map(|c| c as u8)))),
        5 => Arc::new(UInt16Array::from_iter(small().map(|c| c.map(|c| c as u16)))),
        6 => Arc::new(UInt32Array::from_iter(small().map(|c| c.map(|c| c as u32)))),
        _ => Arc::new(UInt64Array::from_iter(
            cells.iter().map(|c| c.map(|c| c as u64)),
        )),
    }
}

fn time_column(kind: usize, cells: &[Option<i64>]) -> ArrayRef {
    let times = Int64Array::from_iter(cells.iter().copied());
    match kind {
        8 => Arc::new(times.reinterpret_cast::<TimestampSecondType>()),
        9 => Arc::new(times.reinterpret_cast::<TimestampMillisecondType>()),
        10 => Arc::new(times.reinterpret_cast::<TimestampMicrosecondType>()),
        11 => Arc::new(times.reinterpret_cast::<TimestampNanosecondType>()),

        12 => {
            let times = times.reinterpret_cast::<TimestampMillisecondType>();
            Arc::new(times.with_timezone("America/New_York"))
        }
        _ => {
            let times = times.reinterpret_cast::<TimestampNanosecondType>();
            Arc::new(times.with_timezone("+09:00"))
        }
    }
}

fn decimal_column(kind: usize, cells: &[Option<i64>]) -> ArrayRef {
    if kind == 16 {
        let wide = |cell: &i64| i256::from_i128(i128::from(*cell) << 60);
        let decimals = cells.iter().map(|cell| cell.as_ref().map(wide));
        let decimals = decimals.collect::<Decimal256Array>();
        return Arc::new(decimals.with_precision_and_scale(76, 30).unwrap());
    }

    let scale = if kind == 14 { 8 } else { 25 };
    let decimals = cells.iter().map(|cell| cell.map(i128::from));
    let decimals = decimals.collect::<Decimal128Array>();
    Arc::new(decimals.with_precision_and_scale(38, scale).unwrap())
}

fn text_column(kind: usize, cells: &[Option<i64>]) -> ArrayRef {
    let texts = || cells.iter().map(|cell| cell.map(|cell| cell.to_string()));
    let time = |cell: i64| format!("2020-01-02T14:{:02}:00Z", cell.rem_euclid(60));
    match kind {
        17 => Arc::new(StringArray::from_iter(texts())),
        18 => Arc::new(LargeStringArray::from_iter(texts())),
        19 => Arc::new(StringViewArray::from_iter(texts())),
        20 => Arc::new(BinaryArray::from_iter(texts())),
        21 => Arc::new(NullArray::new(cells.len())),

        22 => {
            let texts: Vec<Option<String>> = cells.iter().map(|cell| cell.map(time)).collect();
            let texts = texts.iter().map(Option::as_deref);
            Arc::new(texts.collect::<DictionaryArray<Int16Type>>())
        }
        _ => Arc::new(BooleanArray::from_iter(
            cells.iter().map(|cell| cell.map(|cell| cell > 0)),
        )),
    }
}

fn odd_column(kind: usize, cells: &[Option<i64>]) -> ArrayRef {
    let cells = || cells.iter().copied();
    let fractions = || cells().map(|cell| cell.map(|cell| cell as f64 / 8.0));
    match kind {
        24 => Arc::new(Date32Array::from_iter(
            cells().map(|cell| cell.map(|cell| cell as i32)),
        )),
        25 => Arc::new(Date64Array::from_iter(cells())),
        26 => Arc::new(Float64Array::from_iter(fractions())),

        27 => Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            cells().map(|cell| cell.map(|cell| vec![Some(cell)])),
        )),
        _ => {
            let times = Int64Array::from_iter(cells());
            Arc::new(times.reinterpret_cast::<Time64MicrosecondType>())
        }
    }
}

/// A file of six columns, and what it is.
#[derive(Clone, Copy, Debug)]
enum Form {
    Parquet,
    Arrow,
    Stream,
}

fn write(form: Form, batch: &RecordBatch) -> Vec<u8> {
    let schema = batch.schema();
    match form {
        Form::Parquet => {
            let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
            writer.write(batch).unwrap();
            writer.into_inner().unwrap()
        }

        Form::Arrow => {
            let mut writer = FileWriter::try_new(Vec::new(), &schema).unwrap();
            writer.write(batch).unwrap();
            writer.into_inner().unwrap()
        }

        Form::Stream => {
            let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
            writer.write(batch).unwrap();
            writer.into_inner().unwrap()
        }
    }
}

fn read_file(bytes: Vec<u8>) -> Result<FileBars, FileError> {
    let mapping = Mapping {
        zone: Some("Europe/Berlin".to_owned()),
        ..Mapping::default()
    };
    let expected = Expected {
        instrument: Instrument::parse("AAPL").unwrap(),
        timeframe: Timeframe::MINUTE_1,
        day_boundary: DayBoundary::SessionClose,
    };
    read("x.parquet", bytes.into(), &mapping, &expected)
}

const NAMES: [&str; 7] = [
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "symbol",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_types_and_cells_are_read_or_refused(
        kinds in prop::array::uniform7(0..KINDS),
        cells in prop::collection::vec(prop::array::uniform7(any_cell()), 0..20),
        form in prop_oneof![Just(Form::Parquet), Just(Form::Arrow), Just(Form::Stream)],
        width in 5..=7_usize,
    ) {
        let columns: Vec<ArrayRef> = (0..width)
            .map(|place| {
                let cells: Vec<Option<i64>> = cells.iter().map(|row| row[place]).collect();
                column(kinds[place], &cells)
            })
            .collect();
        let fields = columns.iter().zip(NAMES);
        let fields = fields.map(|(values, name)| Field::new(name, values.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(schema, columns).unwrap();

        // Whatever comes back has as many cells in each column as there are bars.
        if let Ok(read) = read_file(write(form, &batch)) {
            prop_assert_eq!(read.lines.len(), read.bars.len());
            prop_assert_eq!(read.bars.volume.len(), read.bars.len());
        }
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(
        form in prop_oneof![Just(Form::Parquet), Just(Form::Arrow), Just(Form::Stream)],
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let cells: Vec<Option<i64>> = (0..20).map(|row| Some(1_577_975_400 + 60 * row)).collect();
        let columns: Vec<ArrayRef> = [3, 26, 26, 26, 26, 7].map(|kind| column(kind, &cells)).into();
        let fields = columns.iter().zip(NAMES);
        let fields = fields.map(|(values, name)| Field::new(name, values.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut bytes = write(form, &RecordBatch::try_new(schema, columns).unwrap());

        let place = place.index(bytes.len());
        bytes[place] = byte;
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        drop(read_file(bytes));
    }
}
