//! Keys and values of one layer, kept for the queries that come later.

use burn::tensor::Tensor;

/// Tokens by which room grows; beside them nothing is kept that no query can see.
const CHUNK: usize = 64;

/// The keys and values of a layer that later queries may see: all of them, or the last of a window. Keys are kept as they
/// meet queries: normalised and rotated.
#[derive(Clone, Debug)]
pub struct KeyValue {
    /// Keys and values, `[rows, kv_heads, room, head_dim]`; none before the first token.
    buffers: Option<[Tensor<4>; 2]>,
    /// Columns of the buffers that are in use.
    filled: usize,
    /// Columns that there ever were.
    seen: usize,
    /// Keys that a query sees, itself included.
    window: Option<usize>,
}

impl KeyValue {
    /// An empty memory for queries that see `window` keys, themselves included.
    pub fn new(window: Option<usize>) -> Self {
        Self { buffers: None, filled: 0, seen: 0, window }
    }

    /// Adds keys and values; gives all that the queries of the same columns may see, theirs at the end.
    ///
    /// # Shapes
    ///
    /// - `keys`, `values`: `[rows, kv_heads, count, head_dim]`
    /// - output: `[rows, kv_heads, visible, head_dim]`, count ≤ visible
    pub fn append(&mut self, keys: Tensor<4>, values: Tensor<4>) -> [Tensor<4>; 2] {
        let count = keys.dims()[2];
        let before = self.kept(self.filled);
        self.seen += count;
        if self.window.is_some_and(|window| before + count > window - 1 + CHUNK) {
            return self.pass_by([keys, values], before);
        }
        let room = self.buffers.as_ref().map_or(0, |[keys, _]| keys.dims()[2]);
        if self.filled + count > room {
            self.refill(before, self.room_for(before + count), &keys);
        }
        let columns = self.filled..self.filled + count;
        self.filled = columns.end;
        let visible = columns.start - before..columns.end;
        let mut new = [keys, values].into_iter();
        // Written in place: nothing else holds the buffers.
        let buffers = self.buffers.take().expect("there is room now").map(|buffer| {
            let new = new.next().expect("two tensors for two buffers");
            buffer.slice_assign(all_but_columns(&new.dims(), columns.clone()), new)
        });
        let seen = buffers.each_ref().map(|buffer| buffer.clone().narrow(2, visible.start, visible.len()));
        self.buffers = Some(buffers);
        seen
    }

    /// Forgets the last `count` columns. False, and nothing is done, if a window dropped keys that a query in their place
    /// would see.
    #[must_use]
    pub fn retreat(&mut self, count: usize) -> bool {
        let (Some(filled), Some(seen)) = (self.filled.checked_sub(count), self.seen.checked_sub(count)) else { return false };
        if filled < self.kept(seen) {
            return false;
        }
        (self.filled, self.seen) = (filled, seen);
        true
    }

    /// Whether [`KeyValue::retreat`] can.
    pub fn can_retreat(&self, count: usize) -> bool {
        self.clone().retreat(count)
    }

    /// Keeps these rows, in this order.
    pub fn select(&mut self, rows: &Tensor<1, burn::tensor::Int>) {
        self.buffers = self.buffers.take().map(|buffers| buffers.map(|buffer| buffer.select(0, rows.clone())));
    }

    /// Tokens of a row for which there is room.
    pub fn room(&self) -> usize {
        self.buffers.as_ref().map_or(0, |[keys, _]| keys.dims()[2])
    }

    /// Of `columns`, those that the next query may see.
    fn kept(&self, columns: usize) -> usize {
        self.window.map_or(columns, |window| columns.min(window - 1))
    }

    /// Room that so many columns should get: some to spare, and never more than a chunk beside a window.
    fn room_for(&self, columns: usize) -> usize {
        match self.window {
            Some(window) if columns >= window => window - 1 + CHUNK,
            _ => columns.next_multiple_of(CHUNK),
        }
    }

    /// Moves the last `kept` columns to the front of buffers with so much room.
    fn refill(&mut self, kept: usize, room: usize, like: &Tensor<4>) {
        let [rows, heads, _, channels] = like.dims();
        let empty = || Tensor::zeros([rows, heads, room, channels], (&like.device(), like.dtype()));
        self.buffers = Some(match self.buffers.take() {
            Some(buffers) if kept > 0 => {
                let last = buffers.map(|buffer| buffer.narrow(2, self.filled - kept, kept));
                last.map(|last| empty().slice_assign(all_but_columns(&last.dims(), 0..kept), last))
            }
            _ => [empty(), empty()],
        });
        self.filled = kept;
    }

    /// [`KeyValue::append`] of more columns than there ever is room for: only the last stay.
    fn pass_by(&mut self, new: [Tensor<4>; 2], before: usize) -> [Tensor<4>; 2] {
        let mut old = self.buffers.take().filter(|_| before > 0).map(|buffers| buffers.map(|b| b.narrow(2, self.filled - before, before)));
        let visible = match &mut old {
            Some([keys, values]) => {
                let [new_keys, new_values] = new;
                [Tensor::cat(vec![keys.clone(), new_keys], 2), Tensor::cat(vec![values.clone(), new_values], 2)]
            }
            None => new,
        };
        self.buffers = Some(visible.clone());
        self.filled = visible[0].dims()[2];
        let kept = self.kept(self.filled);
        self.refill(kept, self.room_for(kept + 1), &visible[0]);
        visible
    }
}

/// All rows, heads and channels of some columns.
fn all_but_columns(&[rows, heads, _, channels]: &[usize; 4], columns: std::ops::Range<usize>) -> [std::ops::Range<usize>; 4] {
    [0..rows, 0..heads, columns, 0..channels]
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    /// Keys of columns from `first` on: the column in every channel, the row added as a fraction.
    fn columns(first: usize, count: usize) -> Tensor<4> {
        let row = |row: usize| (first..first + count).flat_map(move |column| [column as f32 + row as f32 / 4.0; 2]);
        Tensor::from_data(TensorData::new((0..2).flat_map(row).collect::<Vec<f32>>(), [2, 1, count, 2]), &Device::flex())
    }

    fn numbers(x: &Tensor<4>) -> Vec<f32> {
        x.clone().into_data().try_to_vec().unwrap()
    }

    /// Appends counts one after the other and checks what is seen each time.
    fn append(memory: &mut KeyValue, mut at: usize, counts: &[usize]) -> usize {
        for &count in counts {
            let room = memory.room();
            let [keys, values] = memory.append(columns(at, count), columns(at, count).neg());
            at += count;
            let first = memory.window.map_or(0, |window| (at - count).saturating_sub(window - 1));
            assert_eq!(numbers(&keys), numbers(&columns(first, at - first)), "{count} up to {at}");
            assert_eq!(numbers(&values), numbers(&keys.neg()));
            if let Some(window) = memory.window {
                assert!(memory.room() < window + CHUNK, "room for {} beside a window of {window}", memory.room());
            } else {
                assert!(memory.room() < room.max(at) + CHUNK);
            }
        }
        at
    }

    #[test]
    fn queries_see_what_their_window_holds_in_order() {
        let counts = [1, 1, 5, 60, 1, 3, 200, 1, 1, 64, 63, 65, 1];
        for window in [None, Some(1), Some(2), Some(7), Some(64), Some(100), Some(1000)] {
            append(&mut KeyValue::new(window), 0, &counts);
            append(&mut KeyValue::new(window), 0, &[300, 1, 1, 1]);
        }
    }

    #[test]
    fn what_was_forgotten_is_written_again() {
        let mut memory = KeyValue::new(None);
        let at = append(&mut memory, 0, &[70, 1, 1]);
        assert!(memory.retreat(30));
        append(&mut memory, at - 30, &[1, 40, 1]);
        assert!(!memory.can_retreat(1000));
        // A window that dropped nothing yet can go back; later it cannot go back by more than it kept beyond.
        let mut memory = KeyValue::new(Some(8));
        append(&mut memory, 0, &[5]);
        assert!(memory.retreat(4));
        let at = append(&mut memory, 1, &[10, 10]);
        assert!(memory.can_retreat(5));
        assert!(memory.retreat(5));
        let at = append(&mut memory, at - 5, &[1, 100]);
        assert!(!memory.retreat(1));
        append(&mut memory, at, &[1]);
    }

    #[test]
    fn rows_can_be_kept_and_reordered() {
        let mut memory = KeyValue::new(None);
        memory.append(columns(0, 3), columns(0, 3));
        memory.select(&Tensor::from_ints([1], &Device::flex()));
        let [keys, _] = memory.append(columns(3, 1).narrow(0, 1, 1), columns(3, 1).narrow(0, 1, 1));
        assert_eq!(numbers(&keys), [0.25, 0.25, 1.25, 1.25, 2.25, 2.25, 3.25, 3.25]);
    }
}
