(ns ndgrad.bench.sweep
  "Single ops over sizes, dtypes and layouts. The name of such a workload is

      op OP DTYPE ROWS COLUMNS LAYOUT GRAD

  where LAYOUT is that of the last operand: - (row-major), transposed, strided (every second column of a wider array) or
  row (broadcast over the rows), and GRAD is - or grad: with the backward pass. bench/peers.py has the same."
  (:require
   [clojure.string :as str]
   [ndgrad.core :as nd]
   [ndgrad.random :as r]))

(set! *warn-on-reflection* true)

(def ^:private unary
  {"neg" nd/neg "exp" nd/exp "log" nd/log "sqrt" nd/sqrt "tanh" nd/tanh "sigmoid" nd/sigmoid "sin" nd/sin
   "relu" nd/relu "gelu" nd/gelu "softplus" nd/softplus
   "pow-number" #(nd/pow % 2.5) "copy" nd/copy
   "sum" nd/sum
   "sum-0" #(nd/sum % {:axis 0})
   "sum-1" #(nd/sum % {:axis 1})
   "max-1" #(nd/max % {:axis 1})
   "argmax-1" #(nd/argmax % {:axis 1})
   "var-0" #(nd/var % {:axis 0 :ddof 1})
   "logsumexp-1" #(nd/logsumexp % {:axis 1})
   "softmax-1" #(nd/softmax % {:axis 1})
   "cumsum-1" #(nd/cumsum % {:axis 1})
   "sort-1" #(nd/sort % {:axis 1})})

(def ^:private binary
  {"add" nd/add "mul" nd/mul "div" nd/div "mod" nd/mod "maximum" nd/maximum "pow" nd/pow "gt" nd/gt
   "where" #(nd/where (nd/gt %1 %2) %1 %2)
   "matmul" nd/matmul})

(defn- lay-out [x layout]
  (case layout
    "-" x
    "transposed" (nd/T (nd/copy (nd/T x)))
    "strided" (nd/get (nd/repeat x 2 {:axis 1}) :all (nd/slice nil nil 2))
    "row" (nd/get x 0)))

(defn workload
  "The workload of such a name, a function of no arguments; nil when it names no op."
  [name]
  (let [[_ op dtype rows columns layout grad] (str/split name #" ")
        rows (parse-long rows)
        shape [rows (if (= op "matmul") rows (parse-long columns))]
        positive (fn [] (nd/+ 1 (nd/abs (r/randn shape {:dtype ({"f32" :float32 "f64" :float64} dtype)}))))
        x (positive)
        y (lay-out (positive) layout)
        [f inputs] (cond
                     (binary op) [(binary op) [x y]]
                     (unary op) [(unary op) [(lay-out x layout)]])]
    (cond
      (nil? f) nil
      (= grad "grad") (let [leaves (mapv #(nd/requires-grad! (nd/detach %) true) inputs)
                            up (nd/ones-like (apply f leaves))]
                        (fn []
                          (let [y (apply f leaves)]
                            (nd/backward! y up)
                            (run! nd/zero-grad! leaves)
                            y)))
      :else (let [[a b] inputs] (if b #(f a b) #(f a))))))

(def ^:private shapes
  [["16" 4 4] ["10⁴" 100 100] ["10⁶" 1000 1000] ["10⁷" 1000 10000]])

(def ^:private elementwise
  ["neg" "exp" "log" "sqrt" "tanh" "sigmoid" "sin" "relu" "gelu" "softplus" "pow-number"
   "add" "mul" "div" "mod" "maximum" "pow" "gt" "where"])

(def names
  "Every workload of the sweep, as [name what-it-is]."
  (into []
        (for [[op layouts grads dtypes sizes]
              (concat
               (for [op elementwise] [op ["-"] ["-"] ["f32" "f64"] shapes])
               (for [op (remove #{"gt"} elementwise)] [op ["-"] ["grad"] ["f64"] (take 1 shapes)])
               (for [op ["exp" "add" "where" "copy"]] [op ["transposed" "strided"] ["-"] ["f32" "f64"] (take 2 (drop 1 shapes))])
               [["add" ["row"] ["-"] ["f32" "f64"] (rest shapes)]]
               (for [op ["sum" "sum-0" "sum-1" "max-1" "argmax-1" "var-0" "logsumexp-1" "softmax-1" "cumsum-1" "sort-1"]]
                 [op ["-"] ["-"] ["f32" "f64"] (butlast shapes)])
               [["matmul" ["-"] ["-"] ["f32" "f64"] [["4²" 4 4] ["100²" 100 100] ["1000²" 1000 1000]]]])
              dtype dtypes, [size rows columns] sizes, layout layouts, grad grads]
          [(str/join " " ["op" op dtype rows columns layout grad])
           (str/join " " (remove nil? [op size dtype
                                       (when (not= layout "-") layout)
                                       (when (= grad "grad") "with backward")]))])))
