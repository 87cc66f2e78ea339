// go run run.go framing-1.json: holds a parser of BrowserChannel bodies against the vectors.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const blanks = " \t\r\n"

var (
	length   = regexp.MustCompile(`^[ \t\r\n]*([0-9]+)[ \t\r]*\n`)
	begun    = regexp.MustCompile(`^[ \t\r\n]*[0-9]*[ \t\r]*$`)
	mark     = []byte("\xef\xbb\xbf")
	errBytes = errors.New("no run of chunks")
)

// Put your own here: feed returns payloads, and an error where the body is none; eof one inside a chunk.
type parser struct {
	left   []byte
	marked bool
}

func (p *parser) feed(data []byte) (payloads []string, err error) {
	p.left = append(p.left, data...)
	if !p.marked && len(p.left) < 3 && bytes.HasPrefix(mark, p.left) {
		return nil, nil
	}
	if !p.marked {
		p.left, p.marked = bytes.TrimPrefix(p.left, mark), true
	}
	for {
		found := length.FindSubmatch(p.left)
		if found == nil {
			if !begun.Match(p.left) {
				return payloads, errBytes
			}
			return payloads, nil
		}
		units, err := strconv.Atoi(string(found[1]))
		if err != nil || units > 1<<24 {
			return payloads, errBytes
		}
		begin := len(found[0])
		end := begin
		for units > 0 && utf8.FullRune(p.left[end:]) {
			character, size := utf8.DecodeRune(p.left[end:])
			if character == utf8.RuneError && size == 1 {
				return payloads, errBytes
			}
			if character > 0xffff {
				units--
			}
			units--
			end += size
		}
		if units < 0 {
			return payloads, errBytes
		}
		if units > 0 {
			return payloads, nil
		}
		payloads = append(payloads, string(p.left[begin:end]))
		p.left = p.left[end:]
	}
}

func (p *parser) eof() error {
	if strings.Trim(string(p.left), blanks) != "" {
		return errors.New("the body ends inside a chunk")
	}
	return nil
}

func outcome(body []byte, size int) (payloads []string, fault string) {
	p := &parser{}
	for at := 0; at < len(body); at += size {
		more, err := p.feed(body[at:min(at+size, len(body))])
		if payloads = append(payloads, more...); err != nil {
			return payloads, "framing"
		}
	}
	if p.eof() != nil {
		return payloads, "truncated"
	}
	return payloads, ""
}

func main() {
	var file struct {
		Cases []struct {
			Name, Body, Fault string
			Payloads          []string
		}
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil || json.Unmarshal(text, &file) != nil {
		panic("no vectors")
	}
	failed := 0
	for _, one := range file.Cases {
		body, _ := hex.DecodeString(one.Body)
		for _, size := range []int{1, 2, 3, 7, len(body) + 1} {
			payloads, fault := outcome(body, size)
			payloads = slices.DeleteFunc(payloads, func(text string) bool { return strings.Trim(text, blanks) == "" })
			if fault != strings.TrimPrefix(one.Fault, "literal") || fault != "framing" && !slices.Equal(payloads, one.Payloads) {
				failed++
				fmt.Printf("%s, in pieces of %d: %s %q\n", one.Name, size, fault, payloads)
			}
		}
	}
	fmt.Printf("%d cases, %d failures\n", len(file.Cases), failed)
	os.Exit(min(failed, 1))
}
