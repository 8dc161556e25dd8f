"""A clock in the picture: each frame carries the time at which it was made, as black and white cells.

Layout: two rows of 32 square cells from the top left corner, most significant bit first, white is 1. Row 1 holds the
upper 32 bits, row 2 the lower 32 bits, of
    48 bits  milliseconds of CLOCK_REALTIME since 1970, times 64 (so 1/64 ms)
     8 bits  CRC-8 (polynomial 0x07, start value 0) of those six bytes
     8 bits  0xa5, against pictures that happen to look like a clock
A cell's side is width / 256 * 8 pixels, rounded down to a multiple of 8: 16 at a width of 640, 8 from 256 on. The rows
across the whole width belong to the clock; beside the cells they are black. picture-clock.mjs reads the same in a page.
"""

COLUMNS = 32
MARK = 0xA5


def cell_size(width):
    return max(8, width // 256 * 8)


def _crc8(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


class PictureClock:
    """Paints the clock into I420 frames of one size (limited range: black is 16, white 235)."""

    def __init__(self, width, height):
        self.width = width
        self.cell = cell_size(width)
        if COLUMNS * self.cell > width or 2 * self.cell > height or width % 2 or height % 2:
            raise ValueError(f'A picture of {width}x{height} has no room for the clock; expected 256x16 or more, even')
        self.luma_size = width * height
        self.chroma_size = self.luma_size // 4
        self._black = bytes([16]) * self.cell
        self._white = bytes([235]) * self.cell
        self._margin = bytes([16]) * (width - COLUMNS * self.cell)
        self._grey = bytes([128]) * (width // 2 * self.cell)

    def prepare(self, frame):
        """Takes the part of an I420 frame that the clock leaves alone, once for each background picture."""
        bar = 2 * self.cell * self.width
        luma = frame[bar : self.luma_size]
        u = frame[self.luma_size : self.luma_size + self.chroma_size]
        v = frame[self.luma_size + self.chroma_size : self.luma_size + 2 * self.chroma_size]
        grey = self._grey
        return luma + grey + u[len(grey) :] + grey + v[len(grey) :]

    def paint(self, prepared, time_ms):
        """The whole frame: a prepared background with `time_ms` (float, ms since 1970) in it."""
        time = round(time_ms * 64).to_bytes(6, 'big')
        bits = int.from_bytes(time + bytes([_crc8(time), MARK]), 'big')
        rows = []
        for shift in (63, 31):
            cells = (self._white if bits >> (shift - column) & 1 else self._black for column in range(COLUMNS))
            rows.append((b''.join(cells) + self._margin) * self.cell)
        return b''.join((*rows, prepared))


def read_picture_clock(luma, width, stride=None):
    """The time in a frame, in ms since 1970, or None when there is no intact clock in it.

    luma: bytes of the luma plane, the first 2 * cell_size(width) rows at least.
    """
    stride = stride or width
    cell = cell_size(width)
    bits = 0
    for row in range(2):
        for column in range(COLUMNS):
            total = 0
            # The inner quarter of the cell: a coder smears the edges.
            x = column * cell + cell // 4
            for y in range(row * cell + cell // 4, row * cell + 3 * cell // 4):
                start = y * stride + x
                total += sum(luma[start : start + cell // 2])
            bits = bits << 1 | (total > 126 * (cell // 2) ** 2)
    data = bits.to_bytes(8, 'big')
    if data[7] != MARK or _crc8(data[:6]) != data[6]:
        return None
    return int.from_bytes(data[:6], 'big') / 64
