package slides

import (
	"net/url"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Node is one element of a page, or its text. A page is sent as nodes, never as
// HTML, so that what a file says can only ever be one of Tags with text in it.
type Node struct {
	// Tag is one of Tags, or empty for text.
	Tag  string `json:"t,omitempty"`
	Text string `json:"x,omitempty"`
	// Src is the address of a picture; Alt says in words what it shows.
	Src string `json:"src,omitempty"`
	Alt string `json:"alt,omitempty"`
	// Nodes are inside it.
	Nodes []Node `json:"n,omitempty"`
}

// Tags returns every tag that a Node may have.
func Tags() []string {
	return []string{"h1", "h2", "h3", "p", "ul", "ol", "li", "blockquote", "hr", "br", "strong", "em", "img", "table", "tr", "th", "td"}
}

// maxDepth bounds how deep elements stand in each other; what is deeper is left out.
const maxDepth = 24

// parse makes nodes of a Markdown text. HTML in it is dropped, links become
// their words, and pictures keep the name of their file.
func parse(src []byte) []Node {
	p := parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(parser.DefaultInlineParsers()...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(),
			util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
	return inside(p.Parse(text.NewReader(src)), src, 0)
}

func inside(parent ast.Node, src []byte, depth int) []Node {
	if depth > maxDepth {
		return nil
	}
	var list []Node
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		list = append(list, nodes(n, src, depth)...)
	}
	return list
}

// nodes returns what one element of the text becomes.
func nodes(n ast.Node, src []byte, depth int) []Node {
	wrap := func(tag string) []Node { return []Node{{Tag: tag, Nodes: inside(n, src, depth+1)}} }
	switch n := n.(type) {
	case *ast.Heading:
		return wrap([]string{"h1", "h2", "h3"}[min(max(n.Level, 1), 3)-1])
	case *ast.Paragraph:
		return wrap("p")
	case *ast.List:
		if n.IsOrdered() {
			return wrap("ol")
		}
		return wrap("ul")
	case *ast.ListItem:
		return wrap("li")
	case *ast.Blockquote:
		return wrap("blockquote")
	case *ast.ThematicBreak:
		return []Node{{Tag: "hr"}}
	case *ast.Emphasis:
		if n.Level > 1 {
			return wrap("strong")
		}
		return wrap("em")
	case *ast.Text:
		list := []Node{{Text: string(util.UnescapePunctuations(util.ResolveNumericReferences(util.ResolveEntityNames(n.Segment.Value(src)))))}}
		switch {
		case n.HardLineBreak():
			list = append(list, Node{Tag: "br"})
		case n.SoftLineBreak():
			list = append(list, Node{Text: " "})
		}
		return list
	case *ast.String:
		return []Node{{Text: string(n.Value)}}
	case *ast.AutoLink:
		return []Node{{Text: string(n.Label(src))}}
	case *ast.Image:
		return []Node{{Tag: "img", Src: string(n.Destination), Alt: words(inside(n, src, depth+1))}}
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		var b strings.Builder
		for i := range n.Lines().Len() {
			line := n.Lines().At(i)
			b.Write(line.Value(src))
		}
		return []Node{{Tag: "p", Nodes: []Node{{Text: strings.TrimSpace(b.String())}}}}
	case *ast.HTMLBlock, *ast.RawHTML:
		return nil
	case *extast.Table:
		return wrap("table")
	case *extast.TableHeader, *extast.TableRow:
		return wrap("tr")
	case *extast.TableCell:
		if _, ok := n.Parent().(*extast.TableHeader); ok {
			return wrap("th")
		}
		return wrap("td")
	default: // links, and what holds other elements without being one
		return inside(n, src, depth+1)
	}
}

// words returns the text of nodes.
func words(list []Node) string {
	var b strings.Builder
	for _, n := range list {
		b.WriteString(n.Text)
		b.WriteString(words(n.Nodes))
	}
	return b.String()
}

// pictures returns the files that nodes show, each once, in their order.
func pictures(list []Node) []string {
	var names []string
	for _, n := range list {
		if name := local(n); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		for _, name := range pictures(n.Nodes) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// local returns the name of a picture of the same directory, empty for any other.
func local(n Node) string {
	if n.Tag != "img" || n.Src == "" {
		return ""
	}
	name, err := url.PathUnescape(strings.TrimPrefix(n.Src, "./"))
	if err != nil || name == "" || name[0] == '.' || strings.ContainsAny(name, `/\:?#`) {
		return ""
	}
	return name
}

// resolve returns the nodes with addresses in place of file names. A picture
// that cannot be shown becomes its words.
func resolve(list []Node, prefix string, files map[string]file) []Node {
	out := make([]Node, 0, len(list))
	for _, n := range list {
		if n.Tag == "img" {
			f, ok := files[local(n)]
			if !ok || f.problem != "" || f.media == "" {
				out = append(out, Node{Text: n.Alt})
				continue
			}
			n.Src = Address(prefix, f.hash, f.name)
		}
		n.Nodes = resolve(n.Nodes, prefix, files)
		out = append(out, n)
	}
	return out
}

// Address returns where a file is asked for: prefix, hash, name.
func Address(prefix, hash, name string) string { return prefix + hash + "/" + url.PathEscape(name) }
