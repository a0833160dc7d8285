package e2e

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// aWeek is a log whose figures are known: alice has one session at each hour of a Monday but three
// at noon, mallory fails five times.
func aWeek() string {
	var b strings.Builder
	monday := time.Date(2026, time.November, 23, 0, 30, 0, 0, time.Local)
	line := func(at time.Time, format string, args ...any) {
		fmt.Fprintf(&b, "%s host in.rexecd[1]: %s\n", at.Format(time.RFC3339), fmt.Sprintf(format, args...))
	}
	session := func(at time.Time) {
		line(at, `Accepted password for alice from 192.0.2.7 port 1: command "/opt/jobs/nightly <all>"`)
		line(at, "Session closed for alice from 192.0.2.7 port 1: exit status 0 after 2.0s, cpu 0.9s, 34 MB")
	}
	for hour := range 24 {
		session(monday.Add(time.Duration(hour) * time.Hour))
	}
	session(monday.Add(12 * time.Hour))
	session(monday.Add(12 * time.Hour))
	for range 5 {
		line(monday, `Failed password for invalid user "<script>document.title='owned'</script>" from 198.51.100.9 port 1: no`)
	}
	return b.String()
}

// page writes the report of a log as a page that a browser can open.
func page(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(openDir(t), "report.html")
	if out, stderr, status := report(t, text, "-html", path); status != 0 || out+stderr != "" {
		t.Fatalf("status %d: %s%s", status, out, stderr)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("who runs what can be read by others: %v, %v", st, err)
	}
	return path
}

// chromium runs a headless browser, which has no network, and returns what it prints.
func chromium(t testing.TB, path string, args ...string) string {
	t.Helper()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + t.TempDir()}, args...)
	cmd := exec.Command("timeout", append([]string{"--kill-after=1", "60", "chromium"}, append(args, "file://"+path)...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium %q: %v", args, err)
	}
	return string(out)
}

func TestABrowserShowsThePagesFigures(t *testing.T) {
	t.Parallel()
	path := page(t, aWeek())
	dom := chromium(t, path, "--dump-dom")
	for id, want := range map[string]string{"sessions": "26", "sources": "2", "users": "2", "failed": "5", "refused": "0"} {
		if !strings.Contains(dom, `<dd id="`+id+`">`+want+`</dd>`) {
			t.Errorf("the browser has not %s %s", want, id)
		}
	}
	heat := regexp.MustCompile(`<rect class="heat"[^>]*data-value="(\d+)"[^>]*><title>([^<]*)</title>`).FindAllStringSubmatch(dom, -1)
	if len(heat) != 24 || !strings.Contains(dom, "<title>Mon 12:00: 3 sessions</title>") || strings.Count(dom, `class="none"`) != 6*24 {
		t.Errorf("the heat map has %d cells: %q", len(heat), heat)
	}
	if n := strings.Count(dom, `<rect class="failed"`); n != 2 || !strings.Contains(dom, ": 5 failed</title>") {
		t.Errorf("%d bars of failures", n)
	}
	if !strings.Contains(dom, "/opt/jobs/nightly &lt;all&gt;") || !strings.Contains(dom, "<title>rexec on ") {
		t.Error("no command or no title")
	}
}

func TestHostileNamesBreakNoPage(t *testing.T) {
	t.Parallel()
	path := page(t, written(t, lab.Room{}).JournalJSON(t))
	dom := chromium(t, path, "--dump-dom")
	plain := chromium(t, page(t, aWeek()), "--dump-dom")
	tag := regexp.MustCompile(`<([a-z]+)[\s>]`)
	known := map[string]bool{}
	for _, m := range tag.FindAllStringSubmatch(plain, -1) {
		known[m[1]] = true
	}
	for _, m := range tag.FindAllStringSubmatch(dom, -1) {
		if !known[m[1]] {
			t.Errorf("a name has made the element %s", m[0])
		}
	}
	if known["script"] || known["img"] || known["link"] || strings.Contains(dom, " onload=\"") || strings.Contains(dom, "http://") {
		t.Error("the page has scripts, or something from elsewhere")
	}
	for _, r := range dom {
		if r != '\n' && r != '\t' && r < ' ' || r == '\u202e' || r == 0x9b || r == 0xfffd {
			t.Errorf("the page has the character %q", r)
		}
	}
}

// What the page looks like: its colours, by light and by dark, and that it can be printed.
func TestABrowserPaintsThePage(t *testing.T) {
	t.Parallel()
	path := page(t, aWeek())
	for scheme, c := range map[string]struct{ paper, card, use, failed color.RGBA }{
		"0": {rgb(0x11151b), rgb(0x191f28), rgb(0x58b4d1), rgb(0xee7b62)},
		"1": {rgb(0xf6f5f1), rgb(0xffffff), rgb(0x1f6f8b), rgb(0xc4472f)},
	} {
		picture := decode(t, func(shot string) {
			chromium(t, path, "--blink-settings=preferredColorScheme="+scheme, "--force-device-scale-factor=1", "--window-size=1200,1500", "--screenshot="+shot)
		})
		if got := color.RGBAModel.Convert(picture.At(3, 3)); got != c.paper {
			t.Errorf("scheme %s: the page's corner is %v; want %v", scheme, got, c.paper)
		}
		n := pixels(picture)
		for what, least := range map[color.RGBA]int{c.card: 300_000, c.use: 5_000, c.failed: 500} {
			if n[what] < least {
				t.Errorf("scheme %s: %d pixels of %v; want %d", scheme, n[what], what, least)
			}
		}
	}
	pdf := filepath.Join(openDir(t), "page.pdf")
	chromium(t, path, "--no-pdf-header-footer", "--print-to-pdf="+pdf)
	if text := read(pdf); !strings.HasPrefix(text, "%PDF") || len(text) < 10_000 {
		t.Errorf("the printed page has %d bytes", len(text))
	}
	paper := decode(t, func(shot string) {
		lab.Run(t, "pdftoppm", "-singlefile", "-r", "144", "-png", pdf, strings.TrimSuffix(shot, ".png"))
	})
	width := paper.Bounds().Dx()
	left, right := ruled(paper, 0, width/8), ruled(paper, width*7/8, width)
	if left == 0 || right < left {
		t.Errorf("on paper the borders have %d pixels at the left and %d at the right", left, right)
	}
}

// decode returns the picture that a command writes.
func decode(t testing.TB, write func(name string)) image.Image {
	t.Helper()
	name := filepath.Join(openDir(t), "page.png")
	write(name)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// ruled is how many of these columns have a line for most of the picture's height.
func ruled(picture image.Image, first, end int) (columns int) {
	height := picture.Bounds().Dy()
	for x := first; x < end; x++ {
		n := 0
		for y := range height {
			if color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y < 0xe0 {
				n++
			}
		}
		if n > height/2 {
			columns++
		}
	}
	return columns
}

func rgb(n uint32) color.RGBA { return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255} }

// pixels counts each colour.
func pixels(picture image.Image) map[color.RGBA]int {
	n := map[color.RGBA]int{}
	b := picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			n[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	return n
}

// metricNames are the names that a file of expressions uses.
func metricNames(text string) []string {
	return regexp.MustCompile(`\brexec_[a-z_]+`).FindAllString(text, -1)
}
