//! Safetensors: one file, or several with an index. Headers are checked before anything is read or reserved for them.

use crate::{
    files,
    settings::{Error, Result},
};
use burn::tensor::{bf16, f16};
use safetensors::tensor::{Dtype as Stored, Metadata, TensorInfo};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The file of a model in one piece.
pub const SINGLE: &str = "model.safetensors";
/// The index of a model in several.
pub const INDEX: &str = "model.safetensors.index.json";
/// A header, or an index, of more bytes is no model's.
const LONGEST_HEADER: u64 = 100 << 20;

/// Element types of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// 16 bits, 5 of them exponent.
    F16,
    /// 16 bits, 8 of them exponent.
    Bf16,
    /// 64 bits; rounded when read.
    F64,
}

impl Dtype {
    fn of(stored: Stored) -> Option<Self> {
        match stored {
            Stored::F32 => Some(Self::F32),
            Stored::F16 => Some(Self::F16),
            Stored::BF16 => Some(Self::Bf16),
            Stored::F64 => Some(Self::F64),
            _ => None,
        }
    }

    fn stored(self) -> Stored {
        match self {
            Self::F32 => Stored::F32,
            Self::F16 => Stored::F16,
            Self::Bf16 => Stored::BF16,
            Self::F64 => Stored::F64,
        }
    }

    /// The name that PyTorch has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F64 => "float64",
        }
    }

    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        self.stored().bitsize() / 8
    }

    /// Little-endian bytes as numbers.
    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => chunks(bytes, f32::from_le_bytes),
            Self::F16 => chunks(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Self::Bf16 => chunks(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            Self::F64 => chunks(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        }
    }

    /// Numbers as little-endian bytes, rounded to nearest, ties to even; to 16 bits by way of 32.
    fn encode<T: Copy + Into<f64>>(self, values: &[T]) -> Vec<u8> {
        let wide = values.iter().map(|value| -> f64 { (*value).into() });
        let single = wide.clone().map(|value| value as f32);
        match self {
            Self::F32 => single.flat_map(f32::to_le_bytes).collect(),
            Self::F16 => single.flat_map(|value| f16::from_f32(value).to_le_bytes()).collect(),
            Self::Bf16 => single.flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect(),
            Self::F64 => wide.flat_map(f64::to_le_bytes).collect(),
        }
    }
}

impl std::str::FromStr for Dtype {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" | "float32" => Ok(Self::F32),
            "f16" | "float16" => Ok(Self::F16),
            "bf16" | "bfloat16" => Ok(Self::Bf16),
            _ => Err("expected f32, f16 or bf16".into()),
        }
    }
}

fn chunks<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.chunks_exact(N).map(|chunk| of(chunk.try_into().expect("chunks have their size"))).collect()
}

/// Where a tensor lies.
#[derive(Clone, Debug)]
struct Place {
    file: usize,
    dtype: Stored,
    shape: Vec<usize>,
    start: u64,
    end: u64,
}

/// The tensors of a folder, unread.
#[derive(Clone, Debug)]
pub struct Shards {
    files: Vec<PathBuf>,
    places: BTreeMap<String, Place>,
}

impl Shards {
    /// Reads the headers of a folder's files.
    ///
    /// # Errors
    ///
    /// No files; headers that lie, overlap, or reach beyond the file; an index that names other folders, or tensors that
    /// are not there.
    pub fn open(folder: &Path) -> Result<Self> {
        let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
        if index.is_file() {
            return Self::indexed(folder, &index);
        }
        if single.is_file() {
            return Self::files(vec![single]);
        }
        let pickled = folder.join("pytorch_model.bin").exists() || folder.join("pytorch_model.bin.index.json").exists();
        let help = match pickled {
            true => "pickled weights can run code and are not read: load them with transformers and write them with save_pretrained",
            false => "name the folder that save_pretrained wrote",
        };
        Err(Error::input(folder.display(), format!("holds no {SINGLE} and no {INDEX}"), help))
    }

    /// Reads the header of one file.
    ///
    /// # Errors
    ///
    /// As [`Shards::open`].
    pub fn file(path: &Path) -> Result<Self> {
        Self::files(vec![path.to_path_buf()])
    }

    fn indexed(folder: &Path, index: &Path) -> Result<Self> {
        let value = json(index)?;
        let wrong = |message: String| Error::input(index.display(), message, "take the index that belongs to the files");
        let map = value.get("weight_map").and_then(Value::as_object).ok_or_else(|| wrong("has no weight_map".into()))?;
        let mut names = BTreeSet::new();
        for (tensor, file) in map {
            let file = file.as_str().ok_or_else(|| wrong(format!("says no file for {tensor}")))?;
            // A name with a separator, or `..`, could lead out of the folder.
            if Path::new(file).file_name().is_none_or(|name| name != file) || file.contains(['/', '\\']) {
                return Err(wrong(format!("names {file:?} for {tensor}: that is no file of this folder")));
            }
            names.insert(file);
        }
        let shards = Self::files(names.iter().map(|name| folder.join(name)).collect())?;
        for (tensor, file) in map {
            let there = shards.places.get(tensor).map(|place| &shards.files[place.file]);
            if there.and_then(|path| path.file_name()).and_then(|name| name.to_str()) != file.as_str() {
                return Err(wrong(format!("says that {tensor} is in {}, but it is not", file.as_str().unwrap_or_default())));
            }
        }
        Ok(shards)
    }

    fn files(files: Vec<PathBuf>) -> Result<Self> {
        let mut places = BTreeMap::new();
        for (file, path) in files.iter().enumerate() {
            let (start, metadata) = header(path)?;
            for (name, info) in metadata.tensors() {
                let (from, to) = info.data_offsets;
                let place =
                    Place { file, dtype: info.dtype, shape: info.shape.clone(), start: start + from as u64, end: start + to as u64 };
                if places.insert(name.clone(), place).is_some() {
                    return Err(Error::input(path.display(), format!("holds {name}, which another file holds too"), "remove one of them"));
                }
            }
        }
        Ok(Self { files, places })
    }

    /// How many tensors there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.places.get(name).map(|place| place.shape.as_slice())
    }

    /// The element type of a tensor, if it is there and is one of weights.
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        Dtype::of(self.places.get(name)?.dtype)
    }

    /// The values of a tensor, row-major.
    ///
    /// # Errors
    ///
    /// No such tensor, one of integers, one with values that are not finite, an unreadable file.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let (place, path, bytes) = self.bytes(name)?;
        let help = "quantised weights are not read: save the model in float32, float16 or bfloat16";
        let wrong = |message: String, help: &str| Error::input(format!("{}: {name}", path.display()), message, help);
        let dtype = Dtype::of(place.dtype).ok_or_else(|| wrong(format!("has elements of type {:?}", place.dtype), help))?;
        let values = dtype.decode(&bytes);
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(wrong(format!("element {at} is {}", values[at]), "the weights are damaged: fetch them again")),
        }
    }

    /// The values of a tensor of integers, row-major.
    ///
    /// # Errors
    ///
    /// No such tensor, one of other elements, an unreadable file.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let (place, path, bytes) = self.bytes(name)?;
        fn all<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> i64) -> Vec<i64> {
            bytes.chunks_exact(N).map(|chunk| of(chunk.try_into().expect("chunks have their size"))).collect()
        }
        match place.dtype {
            Stored::I64 => Ok(all(&bytes, i64::from_le_bytes)),
            Stored::I32 => Ok(all(&bytes, |bytes| i32::from_le_bytes(bytes).into())),
            Stored::U32 => Ok(all(&bytes, |bytes| u32::from_le_bytes(bytes).into())),
            Stored::I16 => Ok(all(&bytes, |bytes| i16::from_le_bytes(bytes).into())),
            Stored::U16 => Ok(all(&bytes, |bytes| u16::from_le_bytes(bytes).into())),
            Stored::U8 => Ok(all(&bytes, |[byte]| byte.into())),
            other => Err(Error::input(
                format!("{}: {name}", path.display()),
                format!("has elements of type {other:?}, not integers"),
                "write int64 or int32",
            )),
        }
    }

    fn bytes(&self, name: &str) -> Result<(&Place, &Path, Vec<u8>)> {
        let place = self.places.get(name).ok_or_else(|| {
            let file = self.files.first().map(|file| file.display().to_string()).unwrap_or_default();
            Error::input(file, format!("holds no tensor {name}"), "take the file that belongs to the model")
        })?;
        let path = &self.files[place.file];
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        file.seek(SeekFrom::Start(place.start)).map_err(Error::io("read", path))?;
        // The header was held against the length of the file.
        let mut bytes = vec![0; (place.end - place.start) as usize];
        file.read_exact(&mut bytes).map_err(Error::io("read", path))?;
        Ok((place, path, bytes))
    }
}

/// The header of a file, and where its data begins.
fn header(path: &Path) -> Result<(u64, Metadata)> {
    let wrong = |message: String| Error::input(path.display(), message, "the file is damaged: fetch or write it again");
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| wrong(format!("is no safetensors file: it has {length} bytes")))?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER || size > length - 8 {
        return Err(wrong(format!("is no safetensors file: its header would be {size} bytes long, the file is {length}")));
    }
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text).map_err(Error::io("read", path))?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| wrong(format!("has a broken header: {error}")))?;
    // What the data must be long: deserialising has checked that tensors follow each other without gap or overlap, and that
    // each is as long as its shape says.
    let data = metadata.data_len() as u64;
    if data != length - 8 - size {
        return Err(wrong(format!("has {} bytes of data, its header says {data}", length - 8 - size)));
    }
    Ok((8 + size, metadata))
}

/// A JSON file of bounded size.
pub fn json(path: &Path) -> Result<Value> {
    let length = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
    let wrong = |message: String| Error::input(path.display(), message, "take the file that belongs to the weights");
    if length > LONGEST_HEADER {
        return Err(wrong(format!("is {length} bytes long")));
    }
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| wrong(format!("is no JSON: {error}")))
}

/// A tensor to be written; its bytes are made when it is its turn.
pub struct Written<'a> {
    /// Name.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    stored: Stored,
    bytes: Box<dyn Fn() -> Vec<u8> + 'a>,
}

impl<'a> Written<'a> {
    /// A tensor of f32 or f64 values, row-major, rounded to an element type.
    pub fn new<T>(name: impl Into<String>, shape: Vec<usize>, dtype: Dtype, values: impl Fn() -> Vec<T> + 'a) -> Self
    where
        T: Copy + Into<f64>,
    {
        Self { name: name.into(), shape, stored: dtype.stored(), bytes: Box::new(move || dtype.encode(&values())) }
    }

    /// A tensor of f64 values, row-major, as they are.
    pub fn exact(name: impl Into<String>, shape: Vec<usize>, values: &'a [f64]) -> Self {
        let bytes = Box::new(move || values.iter().flat_map(|value| value.to_le_bytes()).collect());
        Self { name: name.into(), shape, stored: Stored::F64, bytes }
    }

    /// A tensor of integers, row-major.
    pub fn integers(name: impl Into<String>, shape: Vec<usize>, values: &'a [i64]) -> Self {
        let bytes = Box::new(move || values.iter().flat_map(|value| value.to_le_bytes()).collect());
        Self { name: name.into(), shape, stored: Stored::I64, bytes }
    }

    /// Bytes of its values.
    pub fn length(&self) -> usize {
        self.shape.iter().product::<usize>() * self.stored.bitsize() / 8
    }
}

/// Writes a file in one step; tensors are made one after the other.
///
/// # Errors
///
/// An unwritable folder.
pub fn write_safetensors(path: &Path, tensors: &[Written]) -> Result<()> {
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.length();
        (tensor.name.clone(), TensorInfo { dtype: tensor.stored, shape: tensor.shape.clone(), data_offsets: (start, end) })
    });
    // What transformers asks for.
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    let metadata = Metadata::new(Some(format), infos.collect()).expect("tensors follow each other");
    let mut header = serde_json::to_vec(&metadata).expect("a header is plain data");
    // Data begins at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let wrong = |error| Error::io("write", path)(error);
    files::replace_with(path, wrong, |file| {
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(wrong);
        write(&(header.len() as u64).to_le_bytes())?;
        write(&header)?;
        tensors.iter().try_for_each(|tensor| write(&(tensor.bytes)()))
    })
}
