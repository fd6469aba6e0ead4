(ns ndgrad.doc-blocks
  "Runs the code in documents and docstrings, and compares what it gives with what its comments say.

  In Markdown, fenced blocks whose language is `clojure` or `java` are run from top to bottom, the blocks of a
  document in one namespace. A comment behind a form, or on the lines below it, says what it gives:

    (+ 1 2)        ;=> 3                     the result as the REPL prints it, in Java `// => 3` as jshell does
    (nd/get x 9)   ;=> throws IndexException: index 9     the class, and how the message begins
    (println 1)    ;prints 1                 what it writes to *out*

  A value that takes several lines continues on comment lines that are indented by two spaces or more. Runs of white
  space count as one space. What has no comment is run and must not throw. A block is not run when the line before it
  is `<!-- not run: the reason -->`.

  The functions return checks: maps of :where, :expected, :actual and :ok."
  (:require
   [clojure.string :as str])
  (:import
   (clojure.lang LineNumberingPushbackReader)
   (java.io StringReader StringWriter)
   (jdk.jshell EvalException JShell Snippet SnippetEvent SourceCodeAnalysis
               SourceCodeAnalysis$CompletionInfo Snippet$Status)
   (jdk.jshell.execution LocalExecutionControlProvider)))

(set! *warn-on-reflection* true)

;; ---------------------------------------------------------------------------------------------
;; Markdown

(defn blocks
  "The fenced blocks of a Markdown text, in order: maps of :language, :line (of the first line of code), :code, and
  :skip, the reason why it is not run."
  [markdown]
  (loop [lines (map-indexed vector (str/split-lines markdown)), before nil, found []]
    (if-let [[[n line] & more] (seq lines)]
      (if-let [[_ fence language] (re-matches #"\s*(```+)\s*(\S*).*" line)]
        (let [[code behind] (split-with #(not= fence (str/trim (second %))) more)]
          (when (empty? behind)
            (throw (ex-info (str "line " (inc n) ": a fence that is not closed") {})))
          (recur (rest behind) nil
                 (conj found {:language language
                              :line (+ n 2)
                              :code (str/join "\n" (map second code))
                              :skip (some->> before (re-find #"<!-- not run:(.*)-->") second
                                             str/trim)})))
        (recur more (if (str/blank? line) before line) found))
      found)))

;; ---------------------------------------------------------------------------------------------
;; what comments expect

(def ^:private comment-mark {"clojure" ";" "java" "//"})

(defn- continued
  "The text of comment line `line` when it continues an expectation."
  [mark line]
  (second (re-matches (re-pattern (str "\\s*" mark "(?:  +)(.*)")) line)))

(defn expectations
  "The expectations in `code`: maps of :line (from 1), :kind (:value, :throws or :prints) and :text."
  [language code]
  (let [mark (comment-mark language)
        start (re-pattern (str mark "\\s*(?:=>\\s*(throws\\b)?|(prints\\b))\\s*(.*)$"))
        lines (vec (str/split-lines code))]
    (for [[n line] (map-indexed vector lines)
          :let [[_ throws prints text] (re-find start line)]
          :when text
          :let [more (take-while some? (map #(continued mark %) (subvec lines (inc n))))]]
      {:line (inc n)
       :kind (cond throws :throws prints :prints :else :value)
       :text (str/join " " (cons text more))})))

(defn- squeeze [text] (str/trim (str/replace (str text) #"\s+" " ")))

(defn- simple-name [class-name] (str/replace class-name #"^.*[.$]" ""))

(defn- error-text [class-name message] (str (simple-name class-name) ": " (squeeze message)))

(defn- check
  "The check of one outcome {:value :error :out} (printed) against an expectation."
  [where {:keys [value error out]} {:keys [kind text]}]
  (let [expected (squeeze text)
        actual (case kind
                 :value (if error (str "throws " error) (squeeze value))
                 :throws (or error (str "no error, but " (squeeze value)))
                 :prints (if error (str "throws " error) (squeeze out)))]
    {:where where
     :expected (str (when (= kind :throws) "throws ") expected)
     :actual actual
     :ok (if (= kind :throws)
           (boolean (and error (seq expected) (str/starts-with? error expected)))
           (= expected actual))}))

(defn- checks
  "The checks of the steps of a block, maps of :line (the last line of a form) and :outcome. An error that nothing
  expects is a check that fails, and so is an expectation that no form is in front of."
  [{:keys [language line code]} file steps]
  (let [where (fn [n] (str file ":" (+ line n -1)))
        owner (fn [{n :line}] (last (take-while #(<= (:line %) n) steps)))
        expected (expectations language code)
        by-step (group-by owner expected)]
    (concat
     (for [e (by-step nil)]
       {:where (where (:line e)), :expected (:text e), :actual "no form in front of it", :ok false})
     (for [step steps
           :let [{:keys [outcome] n :line} step
                 es (by-step step)]
           c (concat (map #(check (where (:line %)) outcome %) es)
                     (when (and (:error outcome) (empty? es))
                       [{:where (where n), :expected "no error", :actual (:error outcome)
                         :ok false}]))]
       c))))

;; ---------------------------------------------------------------------------------------------
;; Clojure

(defn- fresh-ns
  "A new namespace that refers to clojure.core."
  []
  (let [n (create-ns (gensym "ndgrad.doc-page"))]
    (binding [*ns* n] (refer-clojure))
    n))

(defn- evaluate [form]
  (let [out (StringWriter.)]
    (try
      (let [value (binding [*out* out] (eval form))]
        {:value (pr-str value), :out (str out)})
      (catch Throwable e
        (let [cause (last (take-while some? (iterate ex-cause e)))]
          {:error (error-text (.getName (class cause)) (ex-message cause)), :out (str out)})))))

(defn- clojure-steps
  "Evaluates the forms of `code` in namespace `n`, one step for each."
  [n code]
  (with-open [in (LineNumberingPushbackReader. (StringReader. code))]
    (binding [*ns* n, *warn-on-reflection* false]
      (loop [steps []]
        (let [form (read {:eof ::end :read-cond :allow} in)]
          (if (= ::end form)
            steps
            (recur (conj steps {:line (.getLineNumber in), :outcome (evaluate form)}))))))))

;; ---------------------------------------------------------------------------------------------
;; Java

(defn jshell
  "A jshell in this JVM, with its class path."
  ^JShell []
  (let [shell (-> (JShell/builder)
                  (.executionEngine (LocalExecutionControlProvider.) {})
                  (.compilerOptions (into-array String ["--release" "25"]))
                  .build)]
    (.addToClasspath shell (System/getProperty "java.class.path"))
    shell))

(defn- snippet-outcome [^JShell shell ^SnippetEvent event]
  (let [snippet (.snippet event)
        thrown (.exception event)]
    (cond
      (instance? EvalException thrown)
      {:error (error-text (.getExceptionClassName ^EvalException thrown) (ex-message thrown))}
      (some? thrown) {:error (error-text (.getName (class thrown)) (ex-message thrown))}
      (not= Snippet$Status/VALID (.status event))
      {:error (str "does not compile: " (.source ^Snippet snippet) " "
                   (str/join "; " (map #(.getMessage ^jdk.jshell.Diag % nil)
                                       (iterator-seq (.iterator (.diagnostics shell snippet))))))}
      :else {:value (.value event)})))

(defn- outcome-of
  "Evaluates the statement or declaration `source`: what it gives, or its first error."
  [^JShell shell source]
  (let [outcomes (mapv #(snippet-outcome shell %) (.eval shell source))]
    (or (first (filter :error outcomes)) (last outcomes))))

(defn- main-methods
  "Calls of the main methods that `code` declares."
  [code]
  (for [[_ class-name] (re-seq #"class (\w+)[^}]*?\bvoid main\(" code)]
    (str class-name ".main(new String[0]);")))

(defn- java-steps
  "Evaluates the statements and declarations of `code`, one step for each; then its main methods."
  [^JShell shell ^String code]
  (let [^SourceCodeAnalysis analysis (.sourceCodeAnalysis shell)
        line-of-end (fn [left] (inc (count (filter #{\newline} (drop-last (count left) code)))))]
    (loop [left code, steps []]
      (if (str/blank? (str/replace left #"(?m)//.*$" ""))
        (into steps (for [call (main-methods code)]
                      {:line (line-of-end ""), :outcome (outcome-of shell call)}))
        (let [^SourceCodeAnalysis$CompletionInfo info (.analyzeCompletion analysis left)
              source (.source info)
              remaining (.remaining info)]
          (if (str/blank? source)
            (conj steps {:line (line-of-end ""), :outcome {:error (str "is not complete: " left)}})
            (recur remaining
                   (conj steps {:line (line-of-end (str (re-find #"\s*$" source) remaining))
                                :outcome (outcome-of shell source)}))))))))

;; ---------------------------------------------------------------------------------------------
;; documents and docstrings

(defn run-document
  "Runs the blocks of a Markdown text called `file`: {:checks, :ran (how many blocks of each language), :skipped}."
  [file markdown]
  (let [all (filter (comp comment-mark :language) (blocks markdown))
        {skipped true, wanted false} (group-by (comp boolean :skip) all)
        page (fresh-ns)
        shell (delay (jshell))]
    (try
      {:checks (doall
                (concat
                 (for [{:keys [skip line]} skipped :when (str/blank? skip)]
                   {:where (str file ":" line), :expected "a reason not to run", :actual "none", :ok false})
                 (mapcat (fn [{:keys [language code] :as block}]
                           (checks block file
                                   (if (= language "java")
                                     (java-steps @shell code)
                                     (clojure-steps page code))))
                         wanted)))
       :ran (frequencies (map :language wanted))
       :skipped (count skipped)}
      (finally
        (when (realized? shell) (.close ^JShell @shell))
        (remove-ns (ns-name page))))))

(defn examples
  "The examples in the docstrings of the public vars of `namespaces`: [var text], the text behind `Example:`."
  [namespaces]
  (for [n namespaces
        [_ v] (sort-by key (ns-publics n))
        :let [[_ text] (some->> (:doc (meta v)) (re-find #"(?s)\bExample:(.*)"))]
        :when text]
    [v text]))

(defn run-examples
  "Evaluates examples, each in a namespace of its own in which the forms of `preamble` have been evaluated. One check
  for each."
  [preamble examples]
  (for [[v text] examples
        :let [page (fresh-ns)]]
    (try
      (binding [*ns* page] (run! eval preamble))
      (let [steps (try (clojure-steps page text)
                       (catch RuntimeException e [{:outcome {:error (str "unreadable: " e)}}]))
            error (some (comp :error :outcome) steps)]
        {:where (str v), :expected "an example that runs"
         :actual (or error (when (empty? steps) "no form") "it runs")
         :ok (and (nil? error) (boolean (seq steps)))})
      (finally (remove-ns (ns-name page))))))
