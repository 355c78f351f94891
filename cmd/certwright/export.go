package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certwright/certwright/internal/estate"
)

// newExport is the command that writes an installation as an estate file.
func newExport() *cobra.Command {
	var p place
	o := order{Do: "export"}
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the present state as an estate file",
		Long: "Export writes the present state as an estate file: applied where it comes from it changes nothing, and applied to an\n" +
			"empty installation it makes the same, but for passwords, private keys and the certificates themselves.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Split && o.File == "" {
				return usageError{errors.New("--split needs the name of the first file: -o FILE")}
			}
			if _, err := os.Stat(filepath.Join(p.data, "master.key")); errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("there is no installation in %s", p.data)
			}
			if done, err := p.tell(c.Context(), c.OutOrStdout(), o); done {
				return err
			}
			s, err := p.open(c.Context(), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer s.db.Close()
			return exportFile(c.Context(), s, o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	p.flags(c)
	c.Flags().StringVarP(&o.File, "output", "o", "", "`file` to write (default: standard output)")
	c.Flags().BoolVar(&o.Split, "split", false, "write more files where one cannot hold all of it: FILE-2, FILE-3 and so on, to be applied in this order")
	c.Flags().BoolVar(&o.Bare, "no-certificates", false, "leave out the places of certificates, and which applications use them")
	return c
}

// exportFile carries the order out, and says to told which files there are if there are
// several.
func exportFile(ctx context.Context, s *system, o order, out, told io.Writer) error {
	written, err := exportTo(ctx, s, o.File, out, estate.ExportOptions{NoCertificates: o.Bare}, o.Split)
	if len(written) > 1 {
		fmt.Fprintln(told, "one file cannot hold all of it; apply these in this order:", strings.Join(written, " "))
	}
	return err
}

// exportTo writes the installation to the file or, where that has no name, to out. There
// are either all files in the end, whose names it returns, or none that is new.
func exportTo(ctx context.Context, s *system, file string, out io.Writer, opt estate.ExportOptions, split bool) (written []string, err error) {
	if file == "" {
		buffered := bufio.NewWriter(out)
		return nil, tooLarge(errors.Join(estate.Export(ctx, s.Core, operator(), buffered, opt), buffered.Flush()))
	}
	files := &exportFiles{name: file}
	first, err := files.begin()
	if err != nil {
		return nil, err
	}
	if split {
		opt.Next = files.begin
	}
	written, err = files.end(estate.Export(ctx, s.Core, operator(), first, opt))
	return written, tooLarge(err)
}

// tooLarge says what helps where one file cannot hold all of it.
func tooLarge(err error) error {
	if errors.Is(err, estate.ErrTooLarge) {
		return fmt.Errorf("%w; say --split for several files, or --no-certificates", err)
	}
	return err
}

// exportFiles are the files of one export. They get their names when all are written.
type exportFiles struct {
	name    string // of the first
	written []string
	file    *os.File
	buffer  *bufio.Writer
}

func (f *exportFiles) nameOf(n int) string {
	if n == 1 {
		return f.name
	}
	suffix := filepath.Ext(f.name)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(f.name, suffix), n, suffix)
}

// begin begins the next file.
func (f *exportFiles) begin() (io.Writer, error) {
	if err := f.close(); err != nil {
		return nil, err
	}
	name := f.nameOf(len(f.written) + 1)
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	f.written = append(f.written, file.Name())
	f.file, f.buffer = file, bufio.NewWriter(file)
	return f.buffer, nil
}

func (f *exportFiles) close() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.buffer.Flush(), f.file.Close())
	f.file = nil
	return err
}

// end gives the files their names and returns those, unless something went wrong.
func (f *exportFiles) end(failed error) (names []string, err error) {
	err = errors.Join(failed, f.close())
	for i, temporary := range f.written {
		if err == nil {
			err = os.Rename(temporary, f.nameOf(i+1))
		}
		if err != nil {
			os.Remove(temporary)
			continue
		}
		names = append(names, f.nameOf(i+1))
	}
	return names, err
}
